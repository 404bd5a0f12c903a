#pragma once

#include <cstdint>
#include <iosfwd>
#include <set>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/nn/model.h"
#include "twofour/nn/swap.h"

namespace twofour::train {

/// The names of the searches that find the masks of a swap: see MaskPlan::SearchNames.
std::string DescribeSearches(const nn::SwapOptions& options);

/// Prints the names in TWOFOUR_KERNEL that are not in `used`: they may be meant for another run, or be a mistake.
void PrintUnusedForcedKernels(const std::set<std::string>& used, std::ostream& out);

/// What decides which products a run computes: sizes, steps and the dtype of activations.
struct RunExtent {
  int64_t batch = 0;             ///< Samples or tokens of a pass in training.
  int64_t evaluation_batch = 0;  ///< Of one in an evaluation.
  int64_t first_step = 0;        ///< Optimizer steps made before the run begins.
  int64_t last_step = 0;         ///< Optimizer steps made when it ends.
  DType activations = DType::kF32;
};

/// Prints what the layer swap of `options` did: the recipe, the converted layers with their kernels, which MLPs of
/// `model` run as one op, and each linear kept dense and why. Throws Error, before it prints anything, if a kernel that
/// TWOFOUR_KERNEL names cannot compute what some step of the run would ask of it.
void PrintSwapReport(const nn::SwapReport& report, const nn::SwapOptions& options, nn::Model& model,
                     const RunExtent& run, std::ostream& out);

}  // namespace twofour::train
