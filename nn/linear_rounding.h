#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "twofour/core/dtype.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/rounded_linear.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::nn {

/// Makes one linear compute from rounded operands (sparse::RoundedLinear). Forward passes may run at once.
class LinearRounding {
 public:
  /// Streams that one linear draws from, from key.stream on.
  static constexpr uint32_t kStreams = 8;

  LinearRounding(const sparse::LinearFormats& formats, const RandomKey& key) : formats_(formats), key_(key) {}

  const sparse::LinearFormats& formats() const { return formats_; }
  /// The step of the next pass, for stochastic rounding; without calls, the number of passes so far.
  void SetStep(uint64_t step) { step_ = step; }
  /// Rounds, of a weight that comes without a packed one and is 0 elsewhere, what this mask keeps alone, as is done
  /// with a packed one. A mask that keeps everything, or none, changes nothing. `format` as SemiSparseWeight has it.
  /// Must not run beside a forward pass.
  void SetMask(std::optional<sparse::Mask> mask, std::optional<sparse::MaskFormat> format = std::nullopt);

  /// x W^T + bias. `weight` f32 gets the gradient, and is what is rounded if `packed` is null. Outside of training
  /// everything is rounded to nearest, so that evaluations do not depend on chance.
  Tensor Forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                 std::shared_ptr<const sparse::SemiSparseWeight> packed, bool training,
                 std::optional<DType> result = std::nullopt);

 private:
  std::shared_ptr<const sparse::SemiSparseWeight> PackedOf(const Tensor& weight);
  std::shared_ptr<const sparse::RoundedWeight> RoundedOf(const Tensor& weight,
                                                         const std::shared_ptr<const sparse::SemiSparseWeight>& packed,
                                                         const NumberFormat& format, const RandomKey& key);

  sparse::LinearFormats formats_;
  RandomKey key_;
  std::atomic<uint64_t> step_ = 0;
  std::optional<sparse::Mask> mask_;
  std::optional<sparse::MaskFormat> mask_format_;

  // The weight that was rounded last. It is the same for all passes between two updates.
  std::mutex rounding_;
  std::shared_ptr<const sparse::RoundedWeight> rounded_;
  std::shared_ptr<const sparse::SemiSparseWeight> rounded_packed_;
  Tensor rounded_weight_;
  uint64_t rounded_version_ = 0;
  // The weight that was packed last, by mask_.
  std::shared_ptr<const sparse::SemiSparseWeight> packed_;
  Tensor packed_from_;
  uint64_t packed_version_ = 0;
};

}  // namespace twofour::nn
