#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/clock.h"
#include "twofour/train/speedup.h"

namespace twofour::train {

/// Products with weights of one shape.
struct ProductShape {
  int64_t out_features = 0, in_features = 0;
  int64_t rows = 0;   ///< Of activations.
  int64_t count = 1;  ///< How many such products a training step computes.
};

struct PatternSpeedOptions {
  DType activations = DType::kF32;  ///< Or bf16.
  int rounds = 5;                   ///< In each of them, all variants are timed in turn.
  const Clock* clock = &Clock::Default();
  std::function<bool()> stopped = [] { return false; };  ///< Asked before each variant.
};

/// How many times as fast as dense products those of weights of each pattern are, on this machine with the threads in
/// force: in each round, the ratio of the times of all weights together. The products are the forward
/// one and the gradient of the input, and packing the weight for each is part of the time, because each training step
/// changes it. The search for masks is not. The kernels are those that training takes for such masks, which may be
/// dense products of a masked copy. Weights and activations are random. Nothing if it was stopped.
std::optional<std::vector<Speedup>> MeasureSpeedups(const std::vector<ProductShape>& shapes,
                                                    const std::vector<sparse::PruningPattern>& patterns,
                                                    const PatternSpeedOptions& options);

}  // namespace twofour::train
