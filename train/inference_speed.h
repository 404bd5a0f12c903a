#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/train/clock.h"
#include "twofour/train/speedup.h"

namespace twofour::train {

/// What products with one number of rows took.
struct InferenceTimes {
  struct Packed {
    double seconds = 0;    ///< Of one product: the median over the rounds.
    Speedup speedup = {};  ///< Over the dense product.
  };
  int64_t rows = 0;             ///< Of activations.
  double dense_seconds = 0;     ///< Of one product: the median over the rounds.
  std::vector<Packed> formats;  ///< In the order of the formats that were asked for.
};

struct InferenceSpeedOptions {
  DType values = DType::kF32;  ///< Of weights and activations: f32 or bf16.
  int rounds = 7;              ///< In each of them, all variants are timed in turn.
  double min_seconds = 0.005;  ///< What a variant takes of each round at least: a short one is repeated.
  const Clock* clock = &Clock::Default();
  std::function<bool()> stopped = [] { return false; };  ///< Asked before each variant.
};

/// Times products of one weight [out_features, in_features] that is packed for inference, in formats for which
/// sparse::HasInferenceForm says true, against twofour's own dense product of the same dtype, on this machine with the
/// threads in force. Nothing is packed within a time, and the dense weight lies in huge pages as packed ones do.
/// Weights and activations are random. A weight that fits into the processor's caches is read from there, which a model
/// with many weights may not find so. Nothing if it was stopped.
std::optional<std::vector<InferenceTimes>> MeasureInference(int64_t out_features, int64_t in_features,
                                                            const std::vector<sparse::MaskFormat>& formats,
                                                            const std::vector<int64_t>& rows,
                                                            const InferenceSpeedOptions& options);

}  // namespace twofour::train
