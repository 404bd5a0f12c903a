#include "twofour/comm/virtual_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "twofour/comm/thread_network.h"

#include "tests/support/expect_error.h"

namespace twofour::comm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr NetworkSpeed kSlow = {.latency_seconds = 1, .bytes_per_second = 10};

/// The clocks of all ranks after a run on a network in which 20 bytes occupy a link for two seconds.
std::vector<double> ClocksAfter(int ranks, const std::function<void(ThreadNetwork&, Communicator&)>& function,
                                uint64_t seed = 0) {
  ThreadNetworkOptions options;
  options.speed = kSlow;
  options.most_delay_seconds = seed == 0 ? 0 : 1e-3;
  options.seed = seed;
  ThreadNetwork network(ranks, options);
  network.Run([&](Communicator& all) { function(network, all); });
  std::vector<double> clocks;
  for (int rank = 0; rank < ranks; ++rank) clocks.push_back(network.Clock(rank));
  return clocks;
}

void Send(Communicator& ranks, int to, size_t size) { ranks.Send(to, std::vector<std::byte>(size)); }
void Receive(Communicator& ranks, int from, size_t size) {
  std::vector<std::byte> bytes(size);
  ranks.Receive(from, bytes);
}

TEST(VirtualClockTest, AMessageArrivesTheLatencyAfterItHasLeft) {
  EXPECT_THAT(
      ClocksAfter(2, [](ThreadNetwork&,
                        Communicator& ranks) { ranks.rank() == 0 ? Send(ranks, 1, 20) : Receive(ranks, 0, 20); }),
      ElementsAre(2, 3));
}

TEST(VirtualClockTest, SendsOfAnExchangeLeaveOneAfterTheOther) {
  EXPECT_THAT(ClocksAfter(3,
                          [](ThreadNetwork&, Communicator& ranks) {
                            const std::vector<std::byte> bytes(20);
                            const Outgoing sends[] = {{1, bytes}, {2, std::span(bytes).first(10)}};
                            if (ranks.rank() == 0) return ranks.Exchange(sends, {});
                            Receive(ranks, 0, ranks.rank() == 1 ? 20 : 10);
                          }),
              ElementsAre(3, 3, 4));
}

TEST(VirtualClockTest, ALinkCarriesBothDirectionsAtOnce) {
  EXPECT_THAT(ClocksAfter(2,
                          [](ThreadNetwork&, Communicator& ranks) {
                            const std::vector<std::byte> bytes(20);
                            std::vector<std::byte> room(20);
                            const Outgoing send{1 - ranks.rank(), bytes};
                            const Incoming receive{1 - ranks.rank(), room};
                            ranks.Exchange({&send, 1}, {&receive, 1});
                          }),
              ElementsAre(3, 3));
}

TEST(VirtualClockTest, MessagesThatArriveTogetherWaitForEachOther) {
  EXPECT_THAT(ClocksAfter(4,
                          [](ThreadNetwork&, Communicator& ranks) {
                            if (ranks.rank() != 0) return Send(ranks, 0, 20);
                            std::vector<std::byte> room(60);
                            const Incoming receives[] = {{3, std::span(room).first(20)},
                                                         {1, std::span(room).subspan(20, 20)},
                                                         {2, std::span(room).subspan(40)}};
                            ranks.Exchange({}, receives);
                          }),
              ElementsAre(7, 2, 2, 2));
}

TEST(VirtualClockTest, TheLinkTakesWhatArrivesFirst) {
  // Rank 1 sends late. Had the link waited for it, as the list says, the message of rank 2 would end at 15.
  EXPECT_THAT(ClocksAfter(3,
                          [](ThreadNetwork& network, Communicator& ranks) {
                            if (ranks.rank() == 1) network.Advance(1, 10);
                            if (ranks.rank() != 0) return Send(ranks, 0, 20);
                            std::vector<std::byte> room(40);
                            const Incoming receives[] = {{1, std::span(room).first(20)}, {2, std::span(room).last(20)}};
                            ranks.Exchange({}, receives);
                          }),
              ElementsAre(13, 12, 2));
}

TEST(VirtualClockTest, AReceiverThatComputesForLongerFindsTheMessageThere) {
  EXPECT_THAT(ClocksAfter(2,
                          [](ThreadNetwork& network, Communicator& ranks) {
                            if (ranks.rank() == 0) return Send(ranks, 1, 20);
                            network.Advance(1, 100);
                            Receive(ranks, 0, 20);
                          }),
              ElementsAre(2, 100));
}

TEST(VirtualClockTest, ExchangesTakeMessagesInTheirOrder) {
  // The message of rank 2 arrives at 3, while the first exchange waits for that of rank 1 until 13. It is taken then.
  EXPECT_THAT(ClocksAfter(3,
                          [](ThreadNetwork& network, Communicator& ranks) {
                            if (ranks.rank() == 1) network.Advance(1, 10);
                            if (ranks.rank() != 0) return Send(ranks, 0, 20);
                            Receive(ranks, 1, 20);
                            Receive(ranks, 2, 20);
                          }),
              ElementsAre(15, 12, 2));
}

TEST(VirtualClockTest, ABroadcastGoesDownItsTree) {
  // Rank 0 sends to 2 and then to 1. Rank 2 has the bytes at 3 and sends to 3 until 5.
  EXPECT_THAT(ClocksAfter(4,
                          [](ThreadNetwork&, Communicator& ranks) {
                            std::vector<std::byte> bytes(20);
                            ranks.Broadcast(0, bytes);
                          }),
              ElementsAre(4, 5, 5, 6));
}

TEST(VirtualClockTest, TimesDoNotDependOnHowThreadsAreScheduled) {
  const auto work = [](ThreadNetwork& network, Communicator& ranks) {
    for (int root = 0; root < ranks.size(); ++root) {
      network.Advance(ranks.rank(), 0.1 * (ranks.rank() * root % 4));
      ranks.Gather(root, std::vector<std::byte>(static_cast<size_t>(7 * ranks.rank())));
      std::vector<std::byte> bytes(13);
      ranks.Broadcast(root, bytes);
    }
    ranks.AllGatherAnySize(std::vector<std::byte>(static_cast<size_t>(ranks.rank())));
  };
  const std::vector<double> clocks = ClocksAfter(9, work);
  for (uint64_t seed = 1; seed <= 5; ++seed) EXPECT_EQ(ClocksAfter(9, work, seed), clocks);
}

TEST(VirtualClockTest, AnInfinitelyFastNetworkTakesNoTime) {
  VirtualClock clock({});
  EXPECT_THAT(clock.Send(std::vector<size_t>{1000, 0}), ElementsAre(0, 0));
  clock.Receive({{.seconds = 0, .bytes = 1000, .from = 1}});
  EXPECT_EQ(clock.seconds(), 0);
}

TEST(VirtualClockTest, RefusesBadNumbers) {
  const ErrorKind bad = ErrorKind::kInvalidInput;
  EXPECT_ERROR(VirtualClock({.latency_seconds = -1}), bad, HasSubstr("latency_seconds is -1"));
  EXPECT_ERROR(VirtualClock({.latency_seconds = INFINITY}), bad, HasSubstr("latency_seconds is inf"));
  EXPECT_ERROR(VirtualClock({.bytes_per_second = 0}), bad, HasSubstr("bytes_per_second is 0, expected above 0"));
  EXPECT_ERROR(VirtualClock({.bytes_per_second = NAN}), bad, HasSubstr("bytes_per_second is nan"));
  VirtualClock clock(kSlow);
  EXPECT_ERROR(clock.Advance(-1), bad, HasSubstr("advanced by -1 seconds"));
  EXPECT_ERROR(clock.Advance(NAN), bad, HasSubstr("advanced by nan seconds"));
}

}  // namespace
}  // namespace twofour::comm
