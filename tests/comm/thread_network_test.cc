#include "twofour/comm/thread_network.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <thread>

#include "twofour/core/clock.h"

#include "tests/support/expect_error.h"

namespace twofour::comm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr ErrorKind kFailure = ErrorKind::kRuntimeFailure;

void Send(Communicator& ranks, int to, int number) { ranks.Send(to, std::as_bytes(std::span(&number, 1))); }

int Receive(Communicator& ranks, int from) {
  int number = 0;
  ranks.Receive(from, std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

/// The message of what a rank threw, or "" if it threw nothing.
std::string MessageOf(const std::exception_ptr& thrown) {
  if (!thrown) return "";
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kFailure);
    return error.what();
  }
}

ThreadNetworkOptions Impatient() {
  ThreadNetworkOptions options;
  options.timeout_seconds = 0.5;
  return options;
}

TEST(ThreadNetworkTest, KnowsItsRanks) {
  ThreadNetwork network(3);
  std::array<int, 3> calls{};
  network.Run([&](Communicator& ranks) {
    ++calls[static_cast<size_t>(ranks.rank())];
    EXPECT_EQ(ranks.size(), 3);
    EXPECT_EQ(ranks.NameOf(2), "rank 2 (thread 2)");
  });
  EXPECT_EQ(calls, (std::array<int, 3>{1, 1, 1}));
}

TEST(ThreadNetworkTest, MessagesKeepTheirOrderHoweverLongTheyTake) {
  ThreadNetworkOptions options;
  options.most_delay_seconds = 1e-3;
  options.seed = 7;
  ThreadNetwork(2, options).Run([](Communicator& ranks) {
    // All at once: each has a delay of its own.
    std::array<int, 50> numbers{};
    std::vector<Outgoing> sends;
    std::vector<Incoming> receives;
    for (int i = 0; i < 50; ++i) {
      int& number = numbers[static_cast<size_t>(i)];
      if (ranks.rank() == 0) number = i;
      sends.push_back({1, std::as_bytes(std::span(&number, 1))});
      receives.push_back({0, std::as_writable_bytes(std::span(&number, 1))});
    }
    if (ranks.rank() == 0) {
      ranks.Exchange(sends, {});
    } else {
      ranks.Exchange({}, receives);
      for (int i = 0; i < 50; ++i) EXPECT_EQ(numbers[static_cast<size_t>(i)], i);
    }
  });
}

TEST(ThreadNetworkTest, AMessageTakesAtLeastTheLeastDelay) {
  ThreadNetworkOptions options;
  options.least_delay_seconds = options.most_delay_seconds = 0.03;
  const int64_t start = Nanoseconds();
  ThreadNetwork(2, options).Run([](Communicator& ranks) {
    ranks.rank() == 0 ? Send(ranks, 1, 5) : (void)Receive(ranks, 0);
  });
  EXPECT_GE(Nanoseconds() - start, 30'000'000);
}

TEST(ThreadNetworkTest, ABrokenLineMakesTheReceiverWaitInVain) {
  ThreadNetworkOptions options = Impatient();
  options.broken_lines = {{.from = 0, .to = 1, .message = 1}};
  ThreadNetwork(3, options).Run([](Communicator& ranks) {
    if (ranks.rank() == 0) {
      for (int number = 10; number < 13; ++number) Send(ranks, 1, number);
      Send(ranks, 2, 20);
    } else if (ranks.rank() == 1) {
      EXPECT_EQ(Receive(ranks, 0), 10);
      const auto silence = AllOf(StartsWith("rank 0 (thread 0) has not answered for 0.5 seconds"),
                                 HasSubstr("ThreadNetworkOptions::timeout_seconds"));
      EXPECT_ERROR(Receive(ranks, 0), kFailure, silence);
      EXPECT_ERROR(Receive(ranks, 0), kFailure, silence);  // Nothing overtakes the lost message.
    } else {
      EXPECT_EQ(Receive(ranks, 0), 20);
    }
  });
}

TEST(ThreadNetworkTest, WhatArrivesLetsARankWaitAnew) {
  ThreadNetworkOptions options;
  options.timeout_seconds = 0.6;
  ThreadNetwork(4, options).Run([](Communicator& ranks) {
    if (ranks.rank() != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(250 * ranks.rank()));
      return Send(ranks, 0, 1);
    }
    std::array<int, 3> numbers{};  // The last comes after more than the timeout.
    std::vector<Incoming> receives;
    for (int from = 1; from < 4; ++from) {
      receives.push_back({from, std::as_writable_bytes(std::span(&numbers[static_cast<size_t>(from - 1)], 1))});
    }
    ranks.Exchange({}, receives);
    EXPECT_EQ(numbers, (std::array<int, 3>{1, 1, 1}));
  });
}

TEST(ThreadNetworkTest, RanksThatFirstSendToEachOtherWaitInVain) {
  const auto thrown = ThreadNetwork(2, Impatient()).RunAndCatch([](Communicator& ranks) {
    Send(ranks, 1 - ranks.rank(), 0);
    Receive(ranks, 1 - ranks.rank());
  });
  // The second one may learn that the first one gave up.
  EXPECT_THAT(MessageOf(thrown[0]) + MessageOf(thrown[1]), HasSubstr("has not answered for 0.5 seconds"));
  EXPECT_NE(MessageOf(thrown[0]), "");
  EXPECT_NE(MessageOf(thrown[1]), "");
}

TEST(ThreadNetworkTest, AMessageOfAnotherSizeIsAnError) {
  for (const size_t size : {0, 3, 5}) {
    const auto thrown = ThreadNetwork(2).RunAndCatch([&](Communicator& ranks) {
      std::vector<std::byte> bytes(ranks.rank() == 0 ? size : 4);
      ranks.rank() == 0 ? ranks.Send(1, bytes) : ranks.Receive(0, bytes);
    });
    EXPECT_EQ(MessageOf(thrown[0]), "");
    EXPECT_EQ(MessageOf(thrown[1]), fmt::format("rank 0 (thread 0) sent {} bytes, expected 4", size));
  }
}

TEST(ThreadNetworkTest, WhoeverWaitsForADeadRankOrSendsToItIsTold) {
  ThreadNetworkOptions options;
  options.deaths = {{.rank = 2, .exchange = 1}};
  const auto thrown = ThreadNetwork(4, options).RunAndCatch([](Communicator& ranks) {
    if (ranks.rank() == 2) {
      Send(ranks, 0, 1);
      Send(ranks, 1, 2);
    } else if (ranks.rank() == 0) {
      EXPECT_EQ(Receive(ranks, 2), 1);
      Receive(ranks, 3);
    } else if (ranks.rank() == 1) {
      Receive(ranks, 2);
    } else {
      Send(ranks, 0, 3);
      Send(ranks, 2, 4);
    }
  });
  EXPECT_EQ(MessageOf(thrown[0]), "");
  EXPECT_EQ(MessageOf(thrown[1]), "rank 2 (thread 2) is gone");
  EXPECT_EQ(MessageOf(thrown[2]), "rank 2 (thread 2) dies in its exchange 1");
  EXPECT_EQ(MessageOf(thrown[3]), "rank 2 (thread 2) is gone");
}

TEST(ThreadNetworkTest, ADeadRankCannotGoOn) {
  ThreadNetworkOptions options;
  options.deaths = {{.rank = 0, .exchange = 0}};
  ThreadNetwork(2, options).Run([](Communicator& ranks) {
    if (ranks.rank() != 0) return;
    EXPECT_ERROR(Send(ranks, 1, 1), kFailure, HasSubstr("rank 0 (thread 0) dies in its exchange 0"));
    EXPECT_ERROR(Send(ranks, 1, 1), kFailure, HasSubstr("rank 0 (thread 0) has died before"));
  });
}

TEST(ThreadNetworkTest, ARankThatThrewIsGoneAndOneThatReturnedIsSilent) {
  for (const bool throws : {false, true}) {
    const auto thrown = ThreadNetwork(2, Impatient()).RunAndCatch([&](Communicator& ranks) {
      if (ranks.rank() == 1) {
        Receive(ranks, 0);
      } else if (throws) {
        throw Error("the disk is full", kFailure);
      }
    });
    EXPECT_EQ(MessageOf(thrown[0]), throws ? "the disk is full" : "");
    EXPECT_THAT(MessageOf(thrown[1]), HasSubstr(throws ? "rank 0 (thread 0) is gone" : "has not answered"));
  }
}

TEST(ThreadNetworkTest, RunThrowsWhatWasThrownFirst) {
  ThreadNetwork network(3);
  const auto fails = [](Communicator& ranks) {
    if (ranks.rank() == 2) throw Error("the disk is full", kFailure);
    ranks.Barrier();
  };
  EXPECT_ERROR(network.Run(fails), kFailure, testing::Eq("the disk is full"));
  network.Run([](Communicator& ranks) { ranks.Barrier(); });  // All live again.
}

TEST(ThreadNetworkTest, AbortEndsAllRanks) {
  ThreadNetwork network(3);
  const auto thrown = network.RunAndCatch([](Communicator& ranks) {
    if (ranks.rank() == 1) {
      ranks.Abort(3);
    } else if (ranks.rank() == 2) {
      // Not in an exchange when it happens.
      while (true) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        Send(ranks, 0, 1);
      }
    } else {
      Receive(ranks, 1);
    }
  });
  EXPECT_EQ(network.exit_code(), 3);
  EXPECT_EQ(MessageOf(thrown[0]), "rank 1 (thread 1) ended all ranks with exit code 3");
  EXPECT_EQ(MessageOf(thrown[1]), "");
  EXPECT_EQ(MessageOf(thrown[2]), "rank 1 (thread 1) ended all ranks with exit code 3");
  network.Run([](Communicator& ranks) { ranks.Barrier(); });
  EXPECT_EQ(network.exit_code(), std::nullopt);
}

TEST(ThreadNetworkTest, HoldsAThousandRanks) {
  ThreadNetworkOptions options;
  options.speed = {.latency_seconds = 1, .bytes_per_second = 1e9};
  ThreadNetwork network(1024, options);
  network.Run([](Communicator& ranks) {
    int number = ranks.rank() == 1000 ? 42 : 0;
    ranks.Broadcast(1000, std::as_writable_bytes(std::span(&number, 1)));
    EXPECT_EQ(number, 42);
    ranks.Barrier();
  });
  // The broadcast reaches a rank after as many hops as its distance from the root has bits. In the barrier, news of a
  // rank takes as many hops as the distance has bits, and a hop takes a second.
  const auto hops = [](int from, int to) { return std::popcount(static_cast<unsigned>(to - from) & 1023U); };
  for (int rank = 0; rank < 1024; ++rank) {
    int latest = 0;
    for (int other = 0; other < 1024; ++other) latest = std::max(latest, hops(1000, other) + hops(rank, other));
    EXPECT_NEAR(network.Clock(rank), latest, 1e-3);
  }
}

TEST(ThreadNetworkTest, RefusesBadOptions) {
  const auto with = [](auto change) {
    ThreadNetworkOptions options;
    change(options);
    ThreadNetwork(2, options);
  };
  const ErrorKind bad = ErrorKind::kInvalidInput;
  EXPECT_ERROR(ThreadNetwork(0), bad, HasSubstr("the number of ranks is 0, expected at least 1"));
  EXPECT_ERROR(with([](auto& o) { o.timeout_seconds = 0; }), bad, HasSubstr("timeout_seconds is 0, expected above 0"));
  EXPECT_ERROR(with([](auto& o) { o.least_delay_seconds = -1; }), bad, HasSubstr("least_delay_seconds is -1"));
  EXPECT_ERROR(with([](auto& o) { o.least_delay_seconds = 1; }), bad, HasSubstr("most_delay_seconds is 0"));
  EXPECT_ERROR(with([](auto& o) { o.broken_lines = {{0, 2, 0}}; }), bad, HasSubstr("end of a broken line is 2"));
  EXPECT_ERROR(with([](auto& o) {
                 o.broken_lines = {{-1, 1, 0}};
               }),
               bad, HasSubstr("beginning of a broken line is -1"));
  EXPECT_ERROR(with([](auto& o) { o.deaths = {{2, 0}}; }), bad, HasSubstr("a rank that dies is 2"));
}

}  // namespace
}  // namespace twofour::comm
