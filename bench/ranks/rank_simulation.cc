#include "bench/ranks/rank_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <span>

#include "twofour/comm/thread_network.h"
#include "twofour/core/error.h"
#include "twofour/core/tensor.h"
#include "twofour/train/parallel/agreement.h"
#include "twofour/train/parallel/buckets.h"
#include "twofour/train/parallel/owner_broadcast.h"
#include "twofour/train/parallel/owners.h"
#include "twofour/train/parallel/shard_sums.h"
#include "twofour/train/parallel/shard_tree.h"

namespace twofour::bench {
namespace {

using Parameters = std::vector<TrafficParameter>;

/// Of a pass, what the backward pass takes: it has two of three products.
constexpr double kBackwardShare = 2.0 / 3;

/// In real time. Many threads that share few processors wait for each other for long.
constexpr double kTimeoutSeconds = 3600;

std::vector<int> OwnersOf(const Parameters& parameters, int ranks) {
  std::vector<double> costs;
  for (const TrafficParameter& parameter : parameters) costs.push_back(parameter.update_cost);
  return train::AssignOwners(costs, ranks);
}

template <typename ValueOf>
double SumOver(const Parameters& parameters, const ValueOf& value) {
  return std::transform_reduce(parameters.begin(), parameters.end(), 0.0, std::plus(), value);
}

/// What the parameters of each owner add up to.
template <typename ValueOf>
std::vector<double> SumsOfOwners(const Parameters& parameters, int ranks, const ValueOf& value) {
  const std::vector<int> owners = OwnersOf(parameters, ranks);
  std::vector<double> sums(static_cast<size_t>(ranks));
  for (size_t i = 0; i < parameters.size(); ++i) sums[static_cast<size_t>(owners[i])] += value(parameters[i]);
  return sums;
}

/// What is sent of each parameter, in elements or tiles.
std::vector<int64_t> GradientSizes(const Parameters& parameters, const SimulatedStep& step) {
  std::vector<int64_t> sizes;
  for (const TrafficParameter& parameter : parameters) {
    sizes.push_back(step.frozen && parameter.is_sparse ? parameter.elements / 2 : parameter.elements);
  }
  return sizes;
}
std::vector<int64_t> WeightSizes(const Parameters& parameters) {
  std::vector<int64_t> sizes;
  for (const TrafficParameter& parameter : parameters) sizes.push_back(parameter.elements);
  return sizes;
}
std::vector<int64_t> MaskSizes(const Parameters& parameters, const SimulatedStep& step) {
  std::vector<int64_t> sizes;
  for (const TrafficParameter& parameter : parameters) sizes.push_back(step.frozen ? 0 : parameter.tiles());
  return sizes;
}

std::vector<int64_t> Times(std::vector<int64_t> sizes, int64_t factor) {
  for (int64_t& size : sizes) size *= factor;
  return sizes;
}

/// Sizes of 0 stay.
std::vector<int64_t> Scaled(std::vector<int64_t> sizes, int64_t scale) {
  for (int64_t& size : sizes) {
    if (size > 0) size = std::max<int64_t>((size + scale / 2) / scale, 1);
  }
  return sizes;
}

/// How many numbers each rank tells all others: whether it failed and was asked to stop; the loss of its shard; the
/// squared norms of its gradients, as many as the owner of most has.
std::vector<int64_t> NumbersToTell(const Parameters& parameters, int ranks) {
  const auto counts = SumsOfOwners(parameters, ranks, [](const TrafficParameter&) { return 1.0; });
  return {2, 1, static_cast<int64_t>(*std::ranges::max_element(counts))};
}

int64_t BytesOf(const Parameters& parameters, int ranks, const SimulatedStep& step, int64_t scale) {
  const auto sum = [scale](const std::vector<int64_t>& sizes) {
    const std::vector<int64_t> scaled = Scaled(sizes, scale);
    return std::accumulate(scaled.begin(), scaled.end(), int64_t{0});
  };
  int64_t bytes = 4 * sum(GradientSizes(parameters, step)) + static_cast<int64_t>(parameters.size()) +
                  4 * sum(WeightSizes(parameters)) + 2 * sum(MaskSizes(parameters, step));
  for (const int64_t numbers : NumbersToTell(parameters, ranks)) bytes += 8 * numbers * ranks;
  return (ranks - 1) * bytes;
}

/// Makes a rank's clock show at least so many seconds.
void WaitUntil(comm::ThreadNetwork& network, int rank, double seconds) {
  network.Advance(rank, std::max(seconds - network.Clock(rank), 0.0));
}

class Simulation {
 public:
  Simulation(const Parameters& parameters, int ranks, const SimulatedStep& step)
      : parameters_(parameters),
        ranks_(ranks),
        step_(step),
        owners_(OwnersOf(parameters, ranks)),
        bulk_(ranks, Options(static_cast<double>(step.scale))),
        talk_(ranks, Options(1)),
        sent_(static_cast<size_t>(ranks)) {}

  void OwnersCompute(const std::vector<double>& seconds) {
    for (int rank = 0; rank < ranks_; ++rank) bulk_.Advance(rank, seconds[static_cast<size_t>(rank)]);
  }

  /// Owners copy what they have of each parameter to all ranks.
  void Share(const std::vector<int64_t>& sizes, int64_t bytes_of_one) {
    const std::vector<int64_t> scaled = Times(Scaled(sizes, step_.scale), bytes_of_one);
    std::vector<size_t> shared;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] > 0) shared.push_back(i);
    }
    // Those of full size.
    const auto buckets = train::BucketsOf(shared, Times(sizes, bytes_of_one), step_.weight_bucket_bytes);
    Run(bulk_, [&](comm::Communicator& ranks) {
      train::OwnerBroadcast broadcast(ranks, std::numeric_limits<int64_t>::max());
      for (const std::vector<size_t>& bucket : buckets) {
        std::vector<std::vector<std::byte>> bytes;
        std::vector<train::OwnerBroadcast::Item> items;
        for (const size_t i : bucket) {
          items.push_back({owners_[i], bytes.emplace_back(static_cast<size_t>(scaled[i]))});
        }
        broadcast.Share(items);
      }
    });
  }

  /// All ranks make their passes, and add up gradients during the last backward pass. Returns the share of the time for
  /// these sums that was hidden.
  double PassAndSumGradients(double compute_seconds) {
    const std::vector<int64_t> sizes = Scaled(GradientSizes(parameters_, step_), step_.scale);
    std::vector<train::ShardSums::Item> items;
    for (size_t i = 0; i < sizes.size(); ++i) items.push_back({owners_[i], sizes[i]});
    std::vector<size_t> order(sizes.size());
    std::iota(order.rbegin(), order.rend(), size_t{0});
    const auto buckets = train::BucketsOf(order, WeightSizes(parameters_), step_.bucket_elements);
    const auto tree = std::make_shared<const train::ShardTree>(ranks_, ranks_);
    std::vector<double> busy(sent_.size()), waited(sent_.size());
    Run(bulk_, [&](comm::Communicator& ranks) {
      const int rank = ranks.rank();
      const double end = bulk_.Clock(rank) + compute_seconds;
      train::ShardSums sums(ranks, tree, DType::kF32, items);
      double left = SumOver(parameters_, ProductElements), all = left;
      for (const std::vector<size_t>& bucket : buckets) {
        for (const size_t i : bucket) {
          left -= ProductElements(parameters_[i]);
          sums.Add(i, rank, Tensor::Zeros({sizes[i]}));
        }
        WaitUntil(bulk_, rank, end - kBackwardShare * step_.pass_seconds * (all > 0 ? left / all : 0));
        const double began = bulk_.Clock(rank);
        sums.Join(bucket);
        busy[static_cast<size_t>(rank)] += bulk_.Clock(rank) - began;
        for (const size_t i : bucket) sums.Take(i);
      }
      waited[static_cast<size_t>(rank)] = std::max(bulk_.Clock(rank) - end, 0.0);
      WaitUntil(bulk_, rank, end);
    });
    const double all_busy = std::accumulate(busy.begin(), busy.end(), 0.0);
    return all_busy > 0 ? 1 - std::accumulate(waited.begin(), waited.end(), 0.0) / all_busy : 0;
  }

  /// Each rank tells all others so many numbers. They keep their size, so they travel at full speed, over a network of
  /// their own.
  void Tell(int64_t numbers) {
    for (int rank = 0; rank < ranks_; ++rank) WaitUntil(talk_, rank, bulk_.Clock(rank));
    Run(talk_, [numbers](comm::Communicator& ranks) {
      train::AllNumbers(ranks, std::vector<double>(static_cast<size_t>(numbers)));
    });
    for (int rank = 0; rank < ranks_; ++rank) WaitUntil(bulk_, rank, talk_.Clock(rank));
  }

  double Now() const {
    double latest = 0;
    for (int rank = 0; rank < ranks_; ++rank) latest = std::max(latest, bulk_.Clock(rank));
    return latest;
  }
  const std::vector<comm::Traffic>& sent() const { return sent_; }

 private:
  comm::ThreadNetworkOptions Options(double scale) const {
    return {.timeout_seconds = kTimeoutSeconds,
            .speed = {.latency_seconds = step_.network.latency_seconds,
                      .bytes_per_second = step_.network.bytes_per_second / scale}};
  }
  static double ProductElements(const TrafficParameter& parameter) {
    return parameter.is_product ? static_cast<double>(parameter.elements) : 0;
  }
  /// Runs it on all ranks, and counts what they send.
  void Run(comm::ThreadNetwork& network, const comm::ThreadNetwork::Function& function) {
    network.Run([&](comm::Communicator& ranks) {
      function(ranks);
      comm::Traffic& sent = sent_[static_cast<size_t>(ranks.rank())];
      sent.messages += ranks.sent().messages;
      sent.bytes += ranks.sent().bytes;
    });
  }

  const Parameters& parameters_;
  int ranks_;
  const SimulatedStep& step_;
  std::vector<int> owners_;
  comm::ThreadNetwork bulk_, talk_;
  std::vector<comm::Traffic> sent_;
};

void RequireBytes(const StepOutcome& outcome, int64_t expected) {
  int64_t bytes = 0;
  for (const comm::Traffic& sent : outcome.sent) bytes += sent.bytes;
  if (bytes == expected) return;
  throw Error(fmt::format("{} ranks have sent {} bytes, expected {}", outcome.sent.size(), bytes, expected),
              ErrorKind::kRuntimeFailure);
}

}  // namespace

int64_t BytesOfStep(const Parameters& parameters, int ranks, const SimulatedStep& step) {
  return BytesOf(parameters, ranks, step, /*scale=*/1);
}

StepOutcome SimulateStep(const Parameters& parameters, int ranks, const SimulatedStep& step) {
  const auto of_owners = [&](double ns, const auto& value) {
    return SumsOfOwners(parameters, ranks, [&](const TrafficParameter& each) { return 1e-9 * ns * value(each); });
  };
  const std::vector<double> mask = of_owners(step.frozen ? 0 : step.mask_ns_per_element, [](const auto& parameter) {
    return parameter.is_sparse ? static_cast<double>(parameter.elements) : 0;
  });
  const std::vector<double> update =
      of_owners(step.update_ns_per_element, [](const auto& parameter) { return parameter.update_cost; });
  const auto elements = [](const TrafficParameter& parameter) { return static_cast<double>(parameter.elements); };
  StepOutcome outcome;
  outcome.compute_seconds = static_cast<double>(step.passes) * step.pass_seconds + step.undivided_seconds;
  outcome.update_seconds = std::ranges::max(update);
  outcome.mask_seconds = std::ranges::max(mask);
  outcome.largest_owner_share =
      std::ranges::max(SumsOfOwners(parameters, ranks, elements)) / SumOver(parameters, elements);

  Simulation simulation(parameters, ranks, step);
  simulation.OwnersCompute(mask);
  simulation.Share(MaskSizes(parameters, step), sizeof(uint16_t));
  outcome.hidden_share = simulation.PassAndSumGradients(outcome.compute_seconds);
  for (const int64_t numbers : NumbersToTell(parameters, ranks)) simulation.Tell(numbers);
  simulation.OwnersCompute(update);
  simulation.Share(WeightSizes(parameters), sizeof(float));
  outcome.step_seconds = simulation.Now();
  outcome.sent = simulation.sent();
  if (std::has_single_bit(static_cast<unsigned>(ranks))) {
    RequireBytes(outcome, BytesOf(parameters, ranks, step, step.scale));
  }
  return outcome;
}

}  // namespace twofour::bench
