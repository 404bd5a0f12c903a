#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// The sizes of y = x W^T: weight [out_features, in_features], x [batch, in_features], y [batch, out_features].
struct LinearShape {
  int64_t out_features = 0;
  int64_t in_features = 0;
  int64_t batch = 0;
};

/// A masked weight in one kernel's own layout, for both directions.
class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
  /// Memory that the packed form takes, in bytes.
  virtual size_t bytes() const = 0;
};

/// One way of multiplying with a 2:4 weight. A kernel reads no state but its arguments, and gives the same bits for
/// any number of threads.
struct LinearKernel {
  std::string_view name;             ///< What TWOFOUR_KERNEL and the start-up table call it.
  std::string_view instruction_set;  ///< "any", or what it needs.
  std::string_view tiling;           ///< How it cuts the work, in words.
  /// Why this kernel cannot take a product of this shape on this processor; empty when it can.
  std::string (*why_not)(const LinearShape& shape);
  /// Packs f32 `weight` [mask.rows(), mask.cols()], row-major, where the mask keeps.
  std::unique_ptr<PackedWeight> (*pack)(const float* weight, const Mask& mask);
  /// y [batch, out_features] = x [batch, in_features] W^T. No overlap of y and x.
  void (*forward)(const PackedWeight& weight, int64_t batch, const float* x, float* y);
  /// dx [batch, in_features] = dy [batch, out_features] W. No overlap of dx and dy.
  void (*input_grad)(const PackedWeight& weight, int64_t batch, const float* dy, float* dx);
};

/// The table: fastest first, the scalar reference last. The only place that knows all kernels; dispatch and tests
/// iterate over it.
std::span<const LinearKernel> LinearKernels();

/// A kernel and the words that say why it was taken.
struct LinearKernelChoice {
  const LinearKernel* kernel = nullptr;
  std::string reason;
};

/// The first kernel of the table that takes the shape, or the one that TWOFOUR_KERNEL names. Throws Error where the
/// named one cannot take it, with its reason, and where none can.
LinearKernelChoice ChooseLinearKernel(const LinearShape& shape);

}  // namespace twofour::sparse
