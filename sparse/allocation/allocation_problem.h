#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/sparse/allocation/allocation.h"
#include "twofour/sparse/allocation/layer_steps.h"

namespace twofour::sparse {

/// What every way of allocating sparsity begins with: layers, the steps that each may take, and how many entries all of
/// them together are to drop.
class AllocationProblem {
 public:
  struct Layer {
    LayerSteps steps;
    StepRange range;
  };

  /// `most` are further bounds, one for each layer, or none at all. Throws Error, beginning with `owner`
  /// ("AllocateUniformly") or the one of the options' names, on options that Check finds fault with, without layers, on
  /// a layer without entries, and if one of `most` is below a layer's least sparsity.
  AllocationProblem(std::string_view owner, std::span<const LayerShape> shapes, const AllocationOptions& options,
                    std::span<const double> most = {});

  const std::vector<Layer>& layers() const { return layers_; }
  size_t size() const { return layers_.size(); }
  /// Entries to be dropped. If the target is within the options' bounds, and the layers miss it by no more than half of
  /// the largest step, what they do allow. Throws Error that says what targets can be reached if they miss it by more.
  double Goal() const;
  /// After so many steps of each layer.
  Allocation After(std::span<const int64_t> steps) const;

 private:
  AllocationNames names_;
  bool has_more_bounds_;
  double target_, min_, max_, entries_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace twofour::sparse
