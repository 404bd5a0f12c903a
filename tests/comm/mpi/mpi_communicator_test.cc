#include "twofour/comm/mpi_communicator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>

#include "twofour/core/clock.h"

#include "tests/comm/check_collectives.h"
#include "tests/support/expect_error.h"

// Each test has a communicator of its own, because one that failed is of no further use.
namespace twofour::comm {
namespace {

using test::Bytes;
using test::BytesOfRank;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr ErrorKind kFailure = ErrorKind::kRuntimeFailure;

std::unique_ptr<Communicator> Connect(size_t piece_bytes = size_t{1} << 30) {
  return ConnectByMpi({.timeout_seconds = 30, .piece_bytes = piece_bytes});
}

TEST(MpiCommunicatorTest, CollectivesGiveWhatTheyPromise) { test::CheckCollectives(*Connect()); }

TEST(MpiCommunicatorTest, SeveralCommunicatorsDoNotDisturbEachOther) {
  const auto first = Connect(), second = Connect();
  Bytes a = BytesOfRank(first->rank(), 5), b = BytesOfRank(first->rank(), 9);
  if (first->size() > 1 && first->rank() == 0) {
    first->Send(1, a);
    second->Send(1, b);
  } else if (first->rank() == 1) {
    second->Receive(0, b);  // First what was sent last. Small messages need not wait for their receiver.
    first->Receive(0, a);
    EXPECT_EQ(a, BytesOfRank(0, 5));
    EXPECT_EQ(b, BytesOfRank(0, 9));
  }
  first->Barrier();
  second->Barrier();
}

TEST(MpiCommunicatorTest, KnowsWhereRanksRunAndHasSentNothing) {
  const auto ranks = Connect();
  EXPECT_EQ(ranks->sent(), Traffic{});
  for (int rank = 0; rank < ranks->size(); ++rank) {
    EXPECT_THAT(ranks->NameOf(rank), MatchesRegex(fmt::format("rank {} \\([A-Za-z0-9._-]+\\)", rank)));
  }
}

TEST(MpiCommunicatorTest, MessagesInPiecesArriveWhole) {
  const auto ranks = Connect(7);
  test::CheckCollectives(*ranks);  // Also of 0, 1 and 7 bytes, one piece, and of 14, two full ones.
}

TEST(MpiCommunicatorTest, BigMessagesArriveWhole) {
  const auto ranks = Connect(size_t{1} << 20);
  test::CheckBroadcast(*ranks, 0, (size_t{5} << 20) + 3);
}

/// Rank 0 sends `sent` bytes to rank 1, which expects `expected`. `size` is a regular expression.
void CheckWrongSize(size_t piece_bytes, size_t sent, size_t expected, const std::string& size) {
  const auto ranks = Connect(piece_bytes);
  if (ranks->size() < 2 || ranks->rank() > 1) return;
  if (ranks->rank() == 0) return ranks->Send(1, Bytes(sent));
  Bytes room(expected);
  EXPECT_ERROR(ranks->Receive(0, room), kFailure,
               MatchesRegex(fmt::format("rank 0 \\(.+\\) sent {} bytes, expected {}", size, expected)));
  EXPECT_ERROR(ranks->Receive(0, room), kFailure, HasSubstr("failed before"));
}

TEST(MpiCommunicatorTest, AMessageOfAnotherSizeIsAnError) {
  CheckWrongSize(1000, 3, 4, "3");
  CheckWrongSize(1000, 0, 4, "0");
  // MPI may say how long the message was, or only that it was longer.
  CheckWrongSize(1000, 6, 4, "at least [56]");
  CheckWrongSize(1000, 4, 0, "at least [1-4]");
}

TEST(MpiCommunicatorTest, AMessageOfAnotherNumberOfPiecesIsAnError) {
  CheckWrongSize(8, 8, 16, "8");           // One piece, as long as expected.
  CheckWrongSize(8, 16, 8, "at least 8");  // Another piece follows.
  CheckWrongSize(8, 12, 16, "12");
  CheckWrongSize(8, 16, 12, "at least 1[3-6]");
  CheckWrongSize(8, 0, 16, "0");
}

TEST(MpiCommunicatorTest, WaitsInVainForNoLongerThanTheTimeout) {
  const auto ranks = ConnectByMpi({.timeout_seconds = 0.2});
  const auto outer = Connect();  // Those who do not wait must not leave yet.
  if (ranks->size() > 1 && ranks->rank() == 0) {
    Bytes room(4);
    const int64_t start = Nanoseconds();
    EXPECT_ERROR(ranks->Receive(1, room), kFailure,
                 AllOf(testing::StartsWith(ranks->NameOf(1) + " has not answered for 0.2 seconds"),
                       HasSubstr("TWOFOUR_RANK_TIMEOUT")));
    EXPECT_GE(Nanoseconds() - start, 200'000'000);
    EXPECT_LE(Nanoseconds() - start, 5'000'000'000);
  }
  outer->Barrier();
}

TEST(MpiCommunicatorTest, RefusesBadOptions) {
  const ErrorKind bad = ErrorKind::kInvalidInput;
  EXPECT_ERROR(ConnectByMpi({.piece_bytes = 0}), bad, HasSubstr("piece_bytes is 0, expected 1 to 2147483647"));
  EXPECT_ERROR(ConnectByMpi({.piece_bytes = size_t{INT_MAX} + 1}), bad, HasSubstr("piece_bytes is 2147483648"));
  for (const double seconds : {0., -1., 2e9}) {
    EXPECT_ERROR(ConnectByMpi({.timeout_seconds = seconds}), bad, HasSubstr("expected above 0, at most 1e+09"));
  }
}

}  // namespace
}  // namespace twofour::comm
