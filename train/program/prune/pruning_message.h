#pragma once

#include <cstdint>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/core/io/json.h"
#include "twofour/nn/one_shot.h"
#include "twofour/nn/weight_pruner.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/pruned_run.h"

#include "config.pb.h"

namespace twofour::train {

/// Sets the fields of a proto::Pruning or proto::OneShot that say by which method weights are pruned: those that make a
/// difference to it.
template <typename Message>
void SetMethodOf(const nn::OneShotOptions& options, Message& message) {
  message.set_method(std::string(NameOf(options)));
  if (options.method == nn::PruningMethod::kDsnot) message.set_score(std::string(NameOf(options.score)));
  if (nn::NeedsOf(options).gram) message.set_dampening(options.dampening);
  if (options.method == nn::PruningMethod::kSparseGpt) message.set_block(options.block);
  if (options.method == nn::PruningMethod::kAlps) message.set_iterations(options.iterations);
}

/// What a config calls the precision of such activations.
proto::Training::Precision PrecisionOf(DType activations);

/// Everything that decided what a run became when it was pruned, and that would repeat it. `options` are those of the
/// run, before patterns are allocated; `samples` is how many it was calibrated with.
proto::Pruning RecordOf(const PruneRequest& request, const nn::OneShotOptions& options, const PrunableRun& run,
                        int64_t samples);

/// Adds the fields of a record that are set, by their names in the config: strings, numbers and enums.
void AddTo(JsonObject& json, const google::protobuf::Message& record);

}  // namespace twofour::train
