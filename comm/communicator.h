#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace twofour::comm {

/// Bytes for another rank. They must stay as they are until the exchange has ended.
struct Outgoing {
  int to = 0;
  std::span<const std::byte> bytes;
};

/// Room for bytes from another rank, which must send exactly as many.
struct Incoming {
  int from = 0;
  std::span<std::byte> bytes;
};

/// What one rank has sent.
struct Traffic {
  int64_t messages = 0;
  int64_t bytes = 0;
  bool operator==(const Traffic&) const = default;
};

/// What several processes that train together, the ranks, use to talk to each other. Ranks are numbered from 0 to
/// size() - 1. What is sent from one rank to another arrives in the order in which it was sent.
///
/// Only moves bytes. Nothing is summed here: libraries such as MPI may add in any order, and results must not depend on
/// it. All functions but Exchange, Send and Receive are collective: every rank must call them, in the same order.
///
/// Any function throws Error (a runtime failure) that names the rank and its machine if a rank is gone, does not answer
/// in time, or sends another number of bytes than expected. Then the ranks no longer agree on what comes next, and the
/// communicator is of no further use but for Abort. Not for use by several threads at once; one after the other may
/// use it.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// The name of the machine that a rank runs on.
  virtual std::string HostOf(int rank) const = 0;
  /// "rank 3 (node7)", for messages.
  std::string NameOf(int rank) const;

  /// Sends and receives at the same time, so that two ranks that send to each other do not wait for ever. Returns when
  /// all has arrived and the sent bytes may be written to. A rank may be named several times; its messages are matched
  /// in order. Throws Error on a rank that is this one or does not exist.
  void Exchange(std::span<const Outgoing> sends, std::span<const Incoming> receives);
  void Send(int to, std::span<const std::byte> bytes);
  void Receive(int from, std::span<std::byte> bytes);

  /// Copies `bytes` of rank `root` into those of all others, which are as many. Along a binomial tree.
  void Broadcast(int root, std::span<std::byte> bytes);
  /// The bytes of every rank, in the order of ranks, on rank `root`; nothing elsewhere. Ranks may have different
  /// numbers of bytes.
  std::vector<std::vector<std::byte>> Gather(int root, std::span<const std::byte> mine);
  /// The bytes of every rank, in the order of ranks, on every rank. Each gives as many. `all` holds size() times as
  /// many as `mine`. In ceil(log2(size)) rounds (Bruck et al., "Efficient Algorithms for All-to-All Communications in
  /// Multiport Message-Passing Systems", 1997).
  void AllGather(std::span<const std::byte> mine, std::span<std::byte> all);
  /// Like Gather, on every rank.
  std::vector<std::vector<std::byte>> AllGatherAnySize(std::span<const std::byte> mine);
  /// Returns when every rank has called it.
  void Barrier();

  /// What this rank has sent so far.
  const Traffic& sent() const { return sent_; }

  /// Ends all ranks at once, as far as that is possible: those that wait for this one, too. `exit_code` is for whoever
  /// started them. May not return.
  virtual void Abort(int exit_code) = 0;

 protected:
  Communicator() = default;
  /// As Exchange. All ranks exist, and are others.
  virtual void DoExchange(std::span<const Outgoing> sends, std::span<const Incoming> receives) = 0;
  /// For what a communicator sends before anyone uses it.
  void ForgetTraffic() { sent_ = {}; }

 private:
  Traffic sent_;
};

/// A single process, which has nobody to talk to.
class SingleProcess final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string HostOf(int /*rank*/) const override { return "this machine"; }
  void Abort(int /*exit_code*/) override {}

 protected:
  void DoExchange(std::span<const Outgoing> /*sends*/, std::span<const Incoming> /*receives*/) override {}
};

}  // namespace twofour::comm
