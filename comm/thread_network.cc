#include "twofour/comm/thread_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "twofour/comm/exchange_error.h"
#include "twofour/comm/rank_threads.h"
#include "twofour/comm/rank_timeout.h"
#include "twofour/core/error.h"
#include "twofour/core/random.h"

namespace twofour::comm {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Time = SteadyClock::time_point;

SteadyClock::duration Duration(double seconds) {
  return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
}

/// A message on its way. Lies where its sender waits.
struct Message {
  int from, to;
  std::span<const std::byte> bytes;
  double arrival;  // In virtual time.
  Time visible;    // When its receiver may take it.
  bool taken = false;
};

struct Rank {
  explicit Rank(const NetworkSpeed& speed) : clock(speed) {}
  VirtualClock clock;
  std::condition_variable changed;            // Something that the rank waits for may have happened.
  std::map<int, std::deque<Message*>> inbox;  // By sender. Only the first of each may be taken, which keeps the order.
  std::map<int, int64_t> sent;                // How many messages, by receiver.
  int64_t exchanges = 0;
  bool gone = false;
};

}  // namespace

struct ThreadNetwork::State {
  ThreadNetworkOptions options;
  std::mutex mutex;  // Guards all but the clocks, which belong to their ranks.
  std::deque<Rank> ranks;
  std::optional<int> exit_code;
  std::string aborted_by;
  std::exception_ptr first_thrown;

  // All of them with the mutex held.
  void NotifyAll() {
    for (Rank& rank : ranks) rank.changed.notify_all();
  }
  void SetGone(int rank) {
    ranks[static_cast<size_t>(rank)].gone = true;
    NotifyAll();
  }
  /// When a message that is sent now arrives.
  Time VisibleAt(const Message& message, uint64_t number) const {
    const auto draw = Philox4x32({static_cast<uint32_t>(message.from), static_cast<uint32_t>(message.to),
                                  static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32)},
                                 {static_cast<uint32_t>(options.seed), static_cast<uint32_t>(options.seed >> 32)});
    const double range = options.most_delay_seconds - options.least_delay_seconds;
    return SteadyClock::now() + Duration(options.least_delay_seconds + range * ToUniform(draw[0]));
  }
  void Post(Message& message) {
    const int64_t number = ranks[static_cast<size_t>(message.from)].sent[message.to]++;
    message.visible = VisibleAt(message, static_cast<uint64_t>(number));
    const bool lost = std::ranges::any_of(options.broken_lines, [&](const BrokenLine& broken) {
      return broken.from == message.from && broken.to == message.to && broken.message <= number;
    });
    message.taken = lost;
    if (lost) return;
    Rank& receiver = ranks[static_cast<size_t>(message.to)];
    receiver.inbox[message.from].push_back(&message);
    receiver.changed.notify_all();
  }
};

namespace {

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(ThreadNetwork::State& network, int rank)
      : network_(network), own_(network.ranks[static_cast<size_t>(rank)]), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(network_.ranks.size()); }
  std::string HostOf(int rank) const override { return fmt::format("thread {}", rank); }

  void Abort(int exit_code) override {
    const std::scoped_lock lock(network_.mutex);
    if (network_.exit_code) return;
    network_.exit_code = exit_code;
    network_.aborted_by = NameOf(rank_);
    network_.NotifyAll();
  }

 protected:
  void DoExchange(std::span<const Outgoing> sends, std::span<const Incoming> receives) override {
    std::unique_lock lock(network_.mutex);
    RequireAlive();
    DieIfItIsTime();
    std::vector<Message> messages = MessagesOf(sends);
    const Withdrawal withdrawal{network_, messages};
    for (Message& message : messages) network_.Post(message);

    std::vector<Arrival> arrivals;
    std::vector<Incoming> missing(receives.begin(), receives.end());
    const auto left = [&] {
      return missing.size() + static_cast<size_t>(std::ranges::count(messages, false, &Message::taken));
    };
    Time last = SteadyClock::now();
    for (size_t before = left(); before > 0;) {
      RequireAlive();
      const Time now = SteadyClock::now();
      Take(now, missing, arrivals);
      const size_t after = left();
      if (after < before) last = now;
      before = after;
      if (after == 0) break;
      RequirePartners(messages, missing);
      const Time deadline = last + Duration(network_.options.timeout_seconds);
      if (now >= deadline) {
        throw NoAnswerError(NameOf(FirstPartner(messages, missing)), network_.options.timeout_seconds,
                            "ThreadNetworkOptions::timeout_seconds");
      }
      own_.changed.wait_until(lock, std::min(deadline, NextVisible(now, missing)));
    }
    own_.clock.Receive(std::move(arrivals));
  }

 private:
  /// Takes messages back that nobody took, because the exchange failed.
  struct Withdrawal {
    ThreadNetwork::State& network;
    std::vector<Message>& messages;
    ~Withdrawal() {
      for (Message& message : messages) {
        if (!message.taken) std::erase(network.ranks[static_cast<size_t>(message.to)].inbox[message.from], &message);
      }
    }
  };

  void RequireAlive() const {
    if (network_.exit_code) {
      throw Error(fmt::format("{} ended all ranks with exit code {}", network_.aborted_by, *network_.exit_code),
                  ErrorKind::kRuntimeFailure);
    }
    if (own_.gone) throw Error(fmt::format("{} has died before", NameOf(rank_)), ErrorKind::kRuntimeFailure);
  }
  void DieIfItIsTime() {
    const int64_t exchange = own_.exchanges++;
    for (const Death& death : network_.options.deaths) {
      if (death.rank != rank_ || death.exchange != exchange) continue;
      network_.SetGone(rank_);
      throw Error(fmt::format("{} dies in its exchange {}", NameOf(rank_), exchange), ErrorKind::kRuntimeFailure);
    }
  }
  std::vector<Message> MessagesOf(std::span<const Outgoing> sends) {
    std::vector<size_t> sizes;
    for (const Outgoing& send : sends) sizes.push_back(send.bytes.size());
    const std::vector<double> arrivals = own_.clock.Send(sizes);
    std::vector<Message> messages;
    for (size_t i = 0; i < sends.size(); ++i) messages.push_back({rank_, sends[i].to, sends[i].bytes, arrivals[i], {}});
    return messages;
  }

  /// The next message of a rank to this one, or null.
  Message* Next(int from) const {
    const auto found = own_.inbox.find(from);
    return found == own_.inbox.end() || found->second.empty() ? nullptr : found->second.front();
  }
  void Take(Time now, std::vector<Incoming>& missing, std::vector<Arrival>& arrivals) {
    std::erase_if(missing, [&](const Incoming& receive) {
      Message* const message = Next(receive.from);
      if (message == nullptr || message->visible > now) return false;
      own_.inbox[receive.from].pop_front();
      message->taken = true;
      network_.ranks[static_cast<size_t>(receive.from)].changed.notify_all();
      if (message->bytes.size() != receive.bytes.size()) {
        throw WrongSizeError(NameOf(receive.from), false, message->bytes.size(), receive.bytes.size());
      }
      if (!receive.bytes.empty()) std::memcpy(receive.bytes.data(), message->bytes.data(), receive.bytes.size());
      arrivals.push_back({message->arrival, receive.bytes.size(), receive.from});
      return true;
    });
  }
  Time NextVisible(Time now, const std::vector<Incoming>& missing) const {
    Time next = Time::max();
    for (const Incoming& receive : missing) {
      const Message* const message = Next(receive.from);
      if (message != nullptr && message->visible > now) next = std::min(next, message->visible);
    }
    return next;
  }

  void RequirePartners(const std::vector<Message>& messages, const std::vector<Incoming>& missing) const {
    const auto require = [this](int other) {
      if (!network_.ranks[static_cast<size_t>(other)].gone) return;
      throw Error(fmt::format("{} is gone", NameOf(other)), ErrorKind::kRuntimeFailure);
    };
    for (const Incoming& receive : missing) require(receive.from);
    for (const Message& message : messages) {
      if (!message.taken) require(message.to);
    }
  }
  static int FirstPartner(const std::vector<Message>& messages, const std::vector<Incoming>& missing) {
    if (!missing.empty()) return missing.front().from;
    return std::ranges::find(messages, false, &Message::taken)->to;
  }

  ThreadNetwork::State& network_;
  Rank& own_;
  int rank_;
};

void Check(int ranks, const ThreadNetworkOptions& options) {
  const auto require = [](bool sound, const auto& given, const char* what, const char* expected) {
    if (!sound) throw Error(fmt::format("ThreadNetwork: {} is {}, expected {}", what, given, expected));
  };
  const auto require_rank = [&](int rank, const char* what) {
    require(rank >= 0 && rank < ranks, rank, what, "one of its ranks");
  };
  require(ranks >= 1, ranks, "the number of ranks", "at least 1");
  require(options.timeout_seconds > 0 && options.timeout_seconds <= kMostTimeoutSeconds, options.timeout_seconds,
          "timeout_seconds", "above 0, at most 1e9");
  require(options.least_delay_seconds >= 0, options.least_delay_seconds, "least_delay_seconds", "at least 0");
  require(
      options.most_delay_seconds >= options.least_delay_seconds && options.most_delay_seconds <= kMostTimeoutSeconds,
      options.most_delay_seconds, "most_delay_seconds", "least_delay_seconds to 1e9");
  for (const BrokenLine& line : options.broken_lines) {
    require_rank(line.from, "the beginning of a broken line");
    require_rank(line.to, "the end of a broken line");
  }
  for (const Death& death : options.deaths) require_rank(death.rank, "a rank that dies");
}

}  // namespace

ThreadNetwork::ThreadNetwork(int ranks, ThreadNetworkOptions options) : state_(std::make_unique<State>()) {
  Check(ranks, options);
  for (int rank = 0; rank < ranks; ++rank) state_->ranks.emplace_back(options.speed);
  state_->options = std::move(options);
}
ThreadNetwork::~ThreadNetwork() = default;

std::vector<std::exception_ptr> ThreadNetwork::RunAndCatch(const Function& function) {
  state_->exit_code.reset();
  state_->first_thrown = nullptr;
  for (Rank& rank : state_->ranks) {
    rank.inbox.clear();
    rank.sent.clear();
    rank.exchanges = 0;
    rank.gone = false;
  }
  std::vector<std::exception_ptr> thrown(state_->ranks.size());
  const auto run = [&](int rank) {
    try {
      ThreadCommunicator communicator(*state_, rank);
      function(communicator);
    } catch (...) {
      thrown[static_cast<size_t>(rank)] = std::current_exception();
      const std::scoped_lock lock(state_->mutex);
      if (!state_->first_thrown) state_->first_thrown = std::current_exception();
      state_->SetGone(rank);
    }
  };
  const auto stop = [this] { ThreadCommunicator(*state_, 0).Abort(1); };
  RunOnThreads(static_cast<int>(thrown.size()), state_->options.stack_bytes, run, stop);
  return thrown;
}

void ThreadNetwork::Run(const Function& function) {
  RunAndCatch(function);
  if (state_->first_thrown) std::rethrow_exception(state_->first_thrown);
}

double ThreadNetwork::Clock(int rank) const { return state_->ranks.at(static_cast<size_t>(rank)).clock.seconds(); }

void ThreadNetwork::Advance(int rank, double seconds) {
  state_->ranks.at(static_cast<size_t>(rank)).clock.Advance(seconds);
}

std::optional<int> ThreadNetwork::exit_code() const { return state_->exit_code; }

}  // namespace twofour::comm
