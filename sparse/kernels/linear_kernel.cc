#include "twofour/sparse/kernels/linear_kernel.h"

#include <fmt/format.h>

#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"

namespace twofour::sparse {

std::string_view NameOf(Direction direction) { return direction == Direction::kForward ? "forward" : "input_grad"; }

std::span<const LinearKernel> LinearKernels() {
  static const std::vector<LinearKernel> table = [] {
    std::vector<LinearKernel> kernels(PairBucketKernels().begin(), PairBucketKernels().end());
    kernels.insert(kernels.end(), MaskedRowsKernels().begin(), MaskedRowsKernels().end());
    kernels.push_back(kMaskedDenseKernel);
    kernels.push_back(kScalarReferenceKernel);
    return kernels;
  }();
  return table;
}

const LinearKernel* ForcedLinearKernel() {
  if (ForcedKernels().empty()) return nullptr;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (IsForced(kernel.name)) return &kernel;
  }
  return nullptr;
}

LinearKernelChoice ChooseLinearKernel(const LinearShape& shape) {
  if (const LinearKernel* const forced = ForcedLinearKernel()) {
    const std::string why_not = forced->why_not(shape);
    if (!why_not.empty()) throw Error(fmt::format("TWOFOUR_KERNEL={}: {}", forced->name, why_not));
    return {forced, "forced by TWOFOUR_KERNEL"};
  }
  std::vector<std::pair<std::string, std::string>> rejected;  // Names of kernels, and why: equal reasons are said once.
  const auto rejections = [&rejected] {
    std::string text;
    for (const auto& [names, why] : rejected) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", names, why);
    return text;
  };
  std::string_view asked;  // The family of the last kernel that was asked: a family stands together, best first.
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!WhyNotHere(kernel.isa).empty() || kernel.family == asked) continue;  // Another machine's is no news.
    asked = kernel.family;
    std::string why_not = kernel.why_not(shape);
    if (why_not.empty()) why_not = kernel.why_slower(shape);
    if (why_not.empty()) return {&kernel, rejected.empty() ? "the fastest at this size" : rejections()};
    if (!rejected.empty() && rejected.back().second == why_not) {
      rejected.back().first += fmt::format(", {}", kernel.name);
    } else {
      rejected.emplace_back(kernel.name, why_not);
    }
  }
  throw Error(fmt::format("no kernel multiplies with a 2:4 weight [{}, {}]: {}", shape.out_features, shape.in_features,
                          rejections()));
}

std::string WhyNotTiled(const LinearShape& shape) {
  if (shape.out_features % kTileSize == 0 && shape.in_features % kTileSize == 0) return {};
  return fmt::format("weight [{}, {}] is not made of 4x4 tiles", shape.out_features, shape.in_features);
}

std::string NeverSlower(const LinearShape&) { return {}; }

}  // namespace twofour::sparse
