#include "twofour/sparse/kernels/linear_kernel.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"

namespace twofour::sparse {

std::span<const LinearKernel> LinearKernels() {
  static const LinearKernel table[] = {
      kMaskedDenseKernel,
      kScalarReferenceKernel,
  };
  return table;
}

LinearKernelChoice ChooseLinearKernel(const LinearShape& shape) {
  const std::string_view forced = ForcedKernelName();
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.name != forced) continue;
    const std::string why_not = kernel.why_not(shape);
    if (!why_not.empty()) throw Error(fmt::format("TWOFOUR_KERNEL={}: {}", forced, why_not));
    return {&kernel, "forced by TWOFOUR_KERNEL"};
  }
  std::string rejections;
  for (const LinearKernel& kernel : LinearKernels()) {
    const std::string why_not = kernel.why_not(shape);
    if (why_not.empty()) return {&kernel, rejections.empty() ? "first in the table" : rejections};
    rejections += fmt::format("{}{}: {}", rejections.empty() ? "" : "; ", kernel.name, why_not);
  }
  throw Error(fmt::format("no kernel multiplies with a 2:4 weight [{}, {}]: {}", shape.out_features, shape.in_features,
                          rejections));
}

std::string WhyNotTiled(const LinearShape& shape) {
  if (shape.out_features % kTileSize == 0 && shape.in_features % kTileSize == 0) return {};
  return fmt::format("weight [{}, {}] is not made of 4x4 tiles", shape.out_features, shape.in_features);
}

}  // namespace twofour::sparse
