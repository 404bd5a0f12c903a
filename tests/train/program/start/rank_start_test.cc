#include "twofour/train/program/start/rank_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <string>
#include <vector>

#include "twofour/comm/thread_network.h"
#include "twofour/core/processors.h"
#include "twofour/nn/linear.h"
#include "twofour/train/parallel/agreement.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What all ranks throw if the last of three has `last` where the others have `others`; empty if nothing.
std::string Fault(const std::vector<StartPart>& others, const std::vector<StartPart>& last) {
  comm::ThreadNetwork network(3);
  std::vector<std::string> messages(3);
  network.Run([&](comm::Communicator& rank) {
    try {
      RequireSameParts(rank, rank.rank() == 2 ? last : others);
    } catch (const SharedError& error) {
      messages[static_cast<size_t>(rank.rank())] = error.what();
    }
  });
  EXPECT_EQ(messages[0], messages[1]);
  EXPECT_EQ(messages[0], messages[2]);
  return messages[0];
}

TEST(RankStartTest, NamesTheRankTheKindAndTheLineThatDiffer) {
  EXPECT_THAT(Fault({{"data", "a\nb"}}, {{"data", "a\nb"}}), IsEmpty());
  EXPECT_EQ(Fault({{"config", "x"}, {"data", "a\nb\nc"}}, {{"config", "x"}, {"data", "a\nB\nc"}}),
            "rank 2 (thread 2): data: 'B', expected 'b', as on rank 0 (thread 0)");
  EXPECT_THAT(Fault({{"data", "a"}}, {{"data", "a\nb"}}), HasSubstr("'b', expected nothing"));
  EXPECT_THAT(Fault({{"data", "a\nb"}}, {{"data", "a"}}), HasSubstr("nothing, expected 'b'"));
  EXPECT_THAT(Fault({{"data", ""}}, {{"data", "b"}}), HasSubstr("'b', expected nothing"));
}

TEST(RankStartTest, EveryPartShowsWhatItStandsFor) {
  proto::Config config;
  DataRecord data;
  nn::Linear model(Tensor::Full({4, 4}, 0.5), {});
  const std::vector<StartPart> parts = PartsOf(config, data, model);
  const auto differ = [&parts](const std::vector<StartPart>& others) {
    std::vector<std::string> differing;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].text != others[i].text) differing.push_back(parts[i].what);
    }
    return differing;
  };
  EXPECT_THAT(differ(PartsOf(config, data, model)), IsEmpty());
  config.set_threads(7);
  EXPECT_THAT(differ(PartsOf(config, data, model)), IsEmpty());
  config.set_seed(7);
  EXPECT_THAT(differ(PartsOf(config, data, model)), ::testing::ElementsAre("config"));
  data.description = "others";
  EXPECT_THAT(differ(PartsOf(config, data, model)), ::testing::ElementsAre("config", "data"));
  Tensor weight = model.Parameters().front();
  weight.mutable_data<float>()[3] += 1;
  EXPECT_THAT(differ(PartsOf(config, data, model)), ::testing::ElementsAre("config", "data", "initial weights"));
}

TEST(RankStartTest, RanksOnTheSameProcessorsShareThem) {
  // All threads of a process may run on the same processors, but the fake gives each a machine of its own.
  comm::ThreadNetwork network(2);
  network.Run([](comm::Communicator& rank) { EXPECT_EQ(ThreadsOfRank(rank), CountProcessors().count); });
  comm::SingleProcess alone;
  EXPECT_EQ(ThreadsOfRank(alone), 0);
}

TEST(RankStartTest, DescribesRanksByMachine) {
  comm::ThreadNetwork network(2);
  network.Run([](comm::Communicator& rank) {
    EXPECT_EQ(DescribeRanks(rank, 8), "2, with 4 of 8 shards each, on thread 0 (1), thread 1 (1)");
  });
}

}  // namespace
}  // namespace twofour::train
