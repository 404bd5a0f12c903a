#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/linear_planner.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// A dense weight under any mask, packed for the kernels that run its products. It is packed once for each kernel and
/// direction, at the first use. Several threads may multiply at once.
class SemiSparseWeight {
 public:
  /// `weight`, f32 [out_features, in_features], is shared, not copied. It must not be written to while products are
  /// still computed with this object: after a write, the next product throws Error. `mask` has the weight's shape.
  /// `planner` is for the same shape, and keeps the choice of kernels from one packing of a weight to the next. Without
  /// one, this object makes its own.
  /// `format` is that of the mask where more is known of it than Mask::format() sees, as of V:N:M.
  SemiSparseWeight(const Tensor& weight, Mask mask, std::shared_ptr<LinearPlanner> planner = nullptr,
                   std::optional<MaskFormat> format = std::nullopt);

  int64_t out_features() const { return mask_.rows(); }
  int64_t in_features() const { return mask_.cols(); }
  const Mask& mask() const { return mask_; }
  /// The dense weight that is packed. Throws Error if it was written to since.
  const Tensor& source() const { return weight_.Get(); }
  /// The mask's format, by which kernels are chosen.
  const MaskFormat& format() const { return format_; }

  // Activations are f32, f16 or bf16. The output has the same dtype, and is rounded once, after the epilogue.

  /// x [..., in_features] times the transpose of the masked weight, then the epilogue: [..., out_features].
  Tensor Forward(const Tensor& x, const Epilogue& epilogue = {}) const;
  /// dy [..., out_features] times the masked weight: [..., in_features].
  Tensor InputGrad(const Tensor& dy) const;
  /// The weight in `kernel`'s layout for `direction`; packs it if that has not been done. Throws Error if the kernel
  /// cannot take the mask.
  const PackedWeight& Packed(const LinearKernel& kernel, Direction direction) const;
  /// Bytes of everything packed so far.
  size_t packed_bytes() const;

 private:
  Tensor Multiply(Direction direction, const Tensor& in, const Epilogue& epilogue) const;

  autograd::SavedTensor weight_;
  Mask mask_;
  MaskFormat format_;
  std::shared_ptr<LinearPlanner> planner_;
  mutable std::mutex packing_;
  mutable std::map<std::pair<const LinearKernel*, Direction>, std::unique_ptr<PackedWeight>> packed_;
};

}  // namespace twofour::sparse
