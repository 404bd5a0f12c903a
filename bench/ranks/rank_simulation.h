#pragma once

#include <cstdint>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/comm/virtual_clock.h"
#include "twofour/train/parallel/owner_broadcast.h"

#include "bench/ranks/traffic_model.h"

namespace twofour::bench {

/// A step of training, as far as its duration depends on what is set here.
struct SimulatedStep {
  comm::NetworkSpeed network = {};
  double pass_seconds = 0;           ///< Forward and backward pass of one micro-batch on one rank.
  int64_t passes = 1;                ///< Micro-batches of each rank. Gradients travel during the last one.
  double undivided_seconds = 0;      ///< What every rank does for the whole model, such as packing weights.
  double update_ns_per_element = 0;  ///< Of AdamW.
  double mask_ns_per_element = 0;
  bool frozen = false;                         ///< Masks stay, and gradients of masked weights are not sent.
  int64_t bucket_elements = int64_t{1} << 21;  ///< GradientExchange::Options.
  int64_t weight_bucket_bytes = train::OwnerBroadcast::kBucketBytes;
  /// Elements and the network's speed are divided by it, so that a thousand ranks fit into memory. A parameter keeps at
  /// least one element.
  int64_t scale = 1;
};

struct StepOutcome {
  double step_seconds = 0;                      ///< Until the last rank has ended.
  double compute_seconds = 0;                   ///< Of each rank: passes, and what is not divided.
  double update_seconds = 0, mask_seconds = 0;  ///< Of the rank that takes longest.
  double hidden_share = 0;          ///< Of the time for sums of gradients: what passes hid. A mean over ranks.
  std::vector<comm::Traffic> sent;  ///< By each rank. Bytes as simulated: without what `scale` took away.
  double largest_owner_share = 0;   ///< Of all elements.
};

/// Runs the exchanges of a step in virtual time, with the code that training runs: masks that are due, sums of
/// gradients, what ranks agree on, the update, copies of weights. Assumes that moving bytes takes no processor's time,
/// and that all ranks compute equally fast. Throws Error if the ranks are a power of two and have sent other numbers of
/// bytes than BytesOfStep says.
StepOutcome SimulateStep(const std::vector<TrafficParameter>& parameters, int ranks, const SimulatedStep& step);

/// How many bytes a power of two of ranks sends in a step, summed over ranks. See docs/distributed.md.
int64_t BytesOfStep(const std::vector<TrafficParameter>& parameters, int ranks, const SimulatedStep& step);

}  // namespace twofour::bench
