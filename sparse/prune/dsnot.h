#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/prune/pruned_weight.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::sparse {

struct DsnotOptions {
  PruningPattern pattern = {.format = MaskFormat::Rows(2, 4)};
  int64_t exchanges = 50;     ///< At most so many in each row.
  double threshold = 0.1;     ///< A row is done when its expected error is below this.
  double variance_power = 1;  ///< Weights of features that vary much are restored later.
};

/// Rules: those of the pattern, which is n:m along rows or unstructured with a scope of kLayer or kRow; exchanges are
/// not negative, the numbers are finite and not negative.
void Check(const DsnotOptions& options, const FieldPath& at, Faults& faults);

/// DSnoT (Zhang et al., "Dynamic Sparse No Training: Training-Free Fine-tuning for Sparse LLMs", ICLR 2024): exchanges
/// kept and dropped weights of each row so that its expected output stays what it was. The error of a row is the sum of
/// w_j E[x_j] over what is dropped. In each exchange, the dropped weight whose return lowers it most comes back, by
/// sign(error) w_j E[x_j] / Var[x_j]^variance_power, and of the kept weights whose loss also lowers it, the one with
/// the smallest |w_j| ||x_j||_2 (Wanda) goes; for n:m, one of the same group. A row is done when its error is below
/// `threshold`, when nothing is left to exchange, and before an exchange that would raise its error. A weight that came
/// back stays.
///
/// `mask` is what another method found for f32 `weight` [out, in], such as Wanda. Weights keep their values. Throws
/// Error on other shapes and where `inputs` has no samples; throws Error (a runtime failure) that begins with `name` if
/// a weight is not finite or a norm is more than a float can hold.
PrunedWeight Dsnot(const Tensor& weight, const Mask& mask, const InputStatistics& inputs, const DsnotOptions& options,
                   std::string_view name = "weight");

}  // namespace twofour::sparse
