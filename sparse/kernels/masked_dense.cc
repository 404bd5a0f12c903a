// The masked weight, zeros included, through the dense library: what sparse kernels must beat, and the fallback where
// they do not.
#include <algorithm>

#include "twofour/core/kernels/gemm.h"
#include "twofour/sparse/kernels/linear_kernels.h"

namespace twofour::sparse {
namespace {

using kernels::Transpose;

struct MaskedDense final : PackedWeight {
  int64_t out_features = 0, in_features = 0;
  Tensor weight;  // [out_features, in_features]
  size_t bytes() const override { return static_cast<size_t>(weight.numel()) * sizeof(float); }
};

std::unique_ptr<PackedWeight> Pack(const float* weight, const Mask& mask) {
  auto packed = std::make_unique<MaskedDense>();
  packed->out_features = mask.rows();
  packed->in_features = mask.cols();
  packed->weight = Tensor::Empty({mask.rows(), mask.cols()});
  ApplyMask(weight, mask, packed->weight.mutable_data<float>());
  return packed;
}

void Forward(const PackedWeight& packed, int64_t batch, const float* x, float* y) {
  const auto& w = static_cast<const MaskedDense&>(packed);
  kernels::Gemm(Transpose::kNo, Transpose::kYes, batch, w.out_features, w.in_features, x, w.weight.data<float>(), y);
}

void InputGrad(const PackedWeight& packed, int64_t batch, const float* dy, float* dx) {
  const auto& w = static_cast<const MaskedDense&>(packed);
  kernels::Gemm(Transpose::kNo, Transpose::kNo, batch, w.in_features, w.out_features, dy, w.weight.data<float>(), dx);
}

}  // namespace

const LinearKernel kMaskedDenseKernel = {
    "masked_dense", "any", "the dense library's", WhyNotTiled, Pack, Forward, InputGrad,
};

}  // namespace twofour::sparse
