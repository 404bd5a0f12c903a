#include "twofour/comm/communicator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

#include "twofour/comm/thread_network.h"

#include "tests/comm/check_collectives.h"
#include "tests/support/expect_error.h"

namespace twofour::comm {
namespace {

using test::Bytes;
using test::BytesOfRank;
using testing::HasSubstr;

/// What each rank sends in `function`.
std::vector<Traffic> TrafficOf(int ranks, const ThreadNetwork::Function& function) {
  std::vector<Traffic> traffic(static_cast<size_t>(ranks));
  ThreadNetwork(ranks).Run([&](Communicator& all) {
    function(all);
    traffic[static_cast<size_t>(all.rank())] = all.sent();
  });
  return traffic;
}

Traffic SumOf(const std::vector<Traffic>& traffic) {
  Traffic sum;
  for (const Traffic& one : traffic) {
    sum.messages += one.messages;
    sum.bytes += one.bytes;
  }
  return sum;
}

int64_t CeilLog2(int number) {
  int64_t rounds = 0;
  while ((1 << rounds) < number) ++rounds;
  return rounds;
}

class CommunicatorTest : public testing::TestWithParam<int> {};

TEST_P(CommunicatorTest, CollectivesGiveWhatTheyPromise) { ThreadNetwork(GetParam()).Run(test::CheckCollectives); }

TEST_P(CommunicatorTest, CollectivesDoNotDependOnWhenMessagesArrive) {
  ThreadNetworkOptions options;
  options.most_delay_seconds = 2e-4;
  options.seed = static_cast<uint64_t>(GetParam());
  ThreadNetwork(GetParam(), options).Run(test::CheckCollectives);
}

TEST_P(CommunicatorTest, NobodyLeavesABarrierBeforeAllHaveCome) {
  std::atomic<int> come = 0;
  ThreadNetwork(GetParam()).Run([&](Communicator& ranks) {
    for (int round = 1; round <= 3; ++round) {
      if (ranks.rank() % 3 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++come;
      ranks.Barrier();
      EXPECT_GE(come, round * ranks.size());
    }
  });
}

TEST_P(CommunicatorTest, ABroadcastSendsToEachOtherRankOnce) {
  for (int root = 0; root < GetParam(); ++root) {
    const std::vector<Traffic> traffic = TrafficOf(GetParam(), [&](Communicator& ranks) {
      Bytes bytes(10);
      ranks.Broadcast(root, bytes);
    });
    EXPECT_EQ(SumOf(traffic), (Traffic{GetParam() - 1, 10 * (GetParam() - 1)}));
    // No rank passes it on more often than the tree is deep.
    for (const Traffic& one : traffic) EXPECT_LE(one.messages, CeilLog2(GetParam()));
  }
}

TEST_P(CommunicatorTest, AnAllGatherTakesAsManyRoundsAsDoublingNeeds) {
  const std::vector<Traffic> traffic = TrafficOf(GetParam(), [](Communicator& ranks) {
    Bytes all(5 * static_cast<size_t>(ranks.size()));
    ranks.AllGather(Bytes(5), all);
  });
  for (const Traffic& one : traffic) EXPECT_EQ(one, (Traffic{CeilLog2(GetParam()), 5 * (GetParam() - 1)}));
}

TEST_P(CommunicatorTest, AGatherSendsASizeAndBytesFromEachOtherRank) {
  const std::vector<Traffic> traffic = TrafficOf(GetParam(), [](Communicator& ranks) {
    ranks.Gather(0, BytesOfRank(ranks.rank(), static_cast<size_t>(ranks.rank())));
  });
  for (int rank = 0; rank < GetParam(); ++rank) {
    EXPECT_EQ(traffic[static_cast<size_t>(rank)], (rank == 0 ? Traffic{} : Traffic{2, 8 + rank}));
  }
}

TEST_P(CommunicatorTest, ABarrierAndAnAllGatherOfAnySizeSendAsManyMessagesAsTheirRounds) {
  const std::vector<Traffic> barrier = TrafficOf(GetParam(), [](Communicator& ranks) { ranks.Barrier(); });
  for (const Traffic& one : barrier) EXPECT_EQ(one.messages, CeilLog2(GetParam()));
  const std::vector<Traffic> gather =
      TrafficOf(GetParam(), [](Communicator& ranks) { ranks.AllGatherAnySize(Bytes(3)); });
  for (const Traffic& one : gather) EXPECT_EQ(one.messages, 2 * CeilLog2(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Ranks, CommunicatorTest, testing::Range(1, 10));

TEST(ExchangeTest, MessagesOfOneRankAreMatchedInOrder) {
  ThreadNetwork(2).Run([](Communicator& ranks) {
    Bytes first = BytesOfRank(1, 3), second = BytesOfRank(2, 4), third = BytesOfRank(3, 3);
    if (ranks.rank() == 0) {
      const Outgoing sends[] = {{1, first}, {1, second}, {1, third}};
      ranks.Exchange(sends, {});
    } else {
      Bytes a(3), b(4), c(3);
      const Incoming receives[] = {{0, a}, {0, b}, {0, c}};
      ranks.Exchange({}, receives);
      EXPECT_EQ(a, first);
      EXPECT_EQ(b, second);
      EXPECT_EQ(c, third);
    }
  });
}

TEST(ExchangeTest, RefusesRanksThatThereAreNotAndItself) {
  ThreadNetwork(3).Run([](Communicator& ranks) {
    if (ranks.rank() != 1) return;
    Bytes bytes(1);
    for (const int other : {-1, 1, 3}) {
      const std::string message =
          fmt::format("rank 1 of 3 exchanges bytes with rank {}, expected another one of 0 to 2", other);
      EXPECT_ERROR(ranks.Send(other, bytes), ErrorKind::kInvalidInput, HasSubstr(message));
      EXPECT_ERROR(ranks.Receive(other, bytes), ErrorKind::kInvalidInput, HasSubstr(message));
    }
    EXPECT_EQ(ranks.sent(), Traffic{});
  });
}

TEST(ExchangeTest, OneOfNothingIsNotOne) {
  ThreadNetworkOptions options;
  options.deaths = {{0, 0}};
  ThreadNetwork(2, options).Run([](Communicator& ranks) { ranks.Exchange({}, {}); });
}

TEST(AllGatherTest, RefusesRoomOfAnotherSize) {
  SingleProcess alone;
  Bytes all(3);
  EXPECT_ERROR(alone.AllGather(Bytes(4), all), ErrorKind::kInvalidInput,
               HasSubstr("AllGather: room for 3 bytes, expected 4 for each of 1 ranks"));
}

TEST(SingleProcessTest, TalksToItselfAlone) {
  SingleProcess alone;
  test::CheckCollectives(alone);
  EXPECT_EQ(alone.sent(), Traffic{});
  EXPECT_EQ(alone.NameOf(0), "rank 0 (this machine)");
}

}  // namespace
}  // namespace twofour::comm
