#pragma once

#include <cstdint>
#include <iosfwd>
#include <set>
#include <string>

#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"

namespace twofour::train {

/// What searches for the masks of a swap: see MaskPlan::SearchNames.
std::string DescribeSearches(const nn::SwapOptions& options);

/// The names in TWOFOUR_KERNEL that are not `used`: they may be meant for another run, or be a mistake.
void PrintUnusedForcedKernels(const std::set<std::string>& used, std::ostream& out);

/// What decides which products a run has.
struct RunExtent {
  int64_t batch = 0;             ///< Rows of a product in training.
  int64_t evaluation_batch = 0;  ///< And in an evaluation.
  int64_t first_step = 0;        ///< Optimizer steps behind the weights at its beginning,
  int64_t last_step = 0;         ///< and at its end.
};

/// Prints what the layer swap of `options` did: the recipe, the converted layers with their kernels, which MLPs of
/// `model` run as one op, and each linear kept dense and why. Throws Error, having printed nothing, where a kernel that
/// TWOFOUR_KERNEL names cannot compute what it would be asked for at some step of the run.
void PrintSwapReport(const nn::SwapReport& report, const nn::SwapOptions& options, nn::Module& model,
                     const RunExtent& run, std::ostream& out);

}  // namespace twofour::train
