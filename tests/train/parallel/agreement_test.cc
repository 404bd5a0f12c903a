#include "twofour/train/parallel/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "twofour/comm/thread_network.h"

namespace twofour::train {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

/// What each of three ranks throws when it does its work together with the others.
std::vector<std::string> Messages(const std::function<void(int rank)>& work, ErrorKind kind) {
  comm::ThreadNetwork network(3);
  std::vector<std::string> messages(3);
  network.Run([&](comm::Communicator& rank) {
    try {
      Together(rank, [&] { work(rank.rank()); });
    } catch (const SharedError& error) {
      messages[static_cast<size_t>(rank.rank())] = error.what();
      EXPECT_EQ(error.kind(), kind);
    }
  });
  return messages;
}

TEST(TogetherTest, NobodyThrowsWhereAllSucceed) {
  EXPECT_THAT(Messages([](int) {}, ErrorKind::kInvalidInput), Each(""));
}

TEST(TogetherTest, AllThrowWhatTheFirstRankThatFailedThrew) {
  EXPECT_THAT(Messages(
                  [](int rank) {
                    if (rank > 0) throw Error("bad " + std::to_string(rank));
                  },
                  ErrorKind::kInvalidInput),
              Each("rank 1 (thread 1): bad 1"));
  EXPECT_THAT(Messages(
                  [](int rank) {
                    if (rank == 2) throw Error("disk full", ErrorKind::kRuntimeFailure);
                  },
                  ErrorKind::kRuntimeFailure),
              Each("rank 2 (thread 2): disk full"));
  EXPECT_THAT(Messages(
                  [](int rank) {
                    if (rank == 0) throw std::bad_alloc();
                  },
                  ErrorKind::kRuntimeFailure),
              Each("rank 0 (thread 0): out of memory"));
}

TEST(TogetherTest, AFailureOfAllNamesNoRank) {
  EXPECT_THAT(Messages([](int) { throw Error("no such file"); }, ErrorKind::kInvalidInput), Each("no such file"));
}

TEST(TogetherTest, AProcessAloneThrowsItsOwnError) {
  comm::SingleProcess alone;
  EXPECT_THROW(Together(alone, [] { throw std::out_of_range("x"); }), std::out_of_range);
}

TEST(AgreementTest, TellsWhatOtherRanksHave) {
  comm::ThreadNetwork network(3);
  network.Run([](comm::Communicator& rank) {
    EXPECT_TRUE(IsTrueAnywhere(rank, rank.rank() == 2));
    EXPECT_FALSE(IsTrueAnywhere(rank, false));
    EXPECT_EQ(ValueOfFirst(rank, 7 + rank.rank()), 7);
    const double own = rank.rank();
    EXPECT_THAT(AllNumbers(rank, {own, 10 * own}), ElementsAre(0, 0, 1, 10, 2, 20));
    EXPECT_FALSE(IsShared(Error("x"), rank));
    EXPECT_TRUE(IsShared(SharedError("x"), rank));
  });
  comm::SingleProcess alone;
  EXPECT_TRUE(IsShared(Error("x"), alone));
}

}  // namespace
}  // namespace twofour::train
