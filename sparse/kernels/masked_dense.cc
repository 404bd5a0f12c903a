// The masked weight, zeros included, through the dense library: what sparse kernels must beat, and the fallback where
// they do not.
#include <algorithm>

#include "twofour/core/kernels/elementwise.h"
#include "twofour/core/kernels/gemm.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"

namespace twofour::sparse {
namespace {

using kernels::Transpose;

struct MaskedDense final : PackedWeight {
  int64_t out_features = 0, in_features = 0;
  Tensor weight;  // [out_features, in_features]
  size_t bytes() const override { return static_cast<size_t>(weight.numel()) * sizeof(float); }
};

std::unique_ptr<PackedWeight> Pack(const float* weight, const Mask& mask, Direction) {
  auto packed = std::make_unique<MaskedDense>();
  packed->out_features = mask.rows();
  packed->in_features = mask.cols();
  packed->weight = Tensor::Empty({mask.rows(), mask.cols()});
  ApplyMask(weight, mask, packed->weight.mutable_data<float>());
  return packed;
}

void Multiply(const PackedWeight& packed, Direction direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& w = static_cast<const MaskedDense&>(packed);
  const bool forward = direction == Direction::kForward;
  const int64_t n = forward ? w.out_features : w.in_features, k = forward ? w.in_features : w.out_features;
  kernels::Gemm(Transpose::kNo, forward ? Transpose::kYes : Transpose::kNo, batch, n, k, in, w.weight.data<float>(),
                out);
  if (epilogue.bias != nullptr) kernels::AddRow(batch, n, epilogue.bias, out);
  if (epilogue.relu_squared) kernels::ReluSquared(batch * n, out, out);
}

}  // namespace

const LinearKernel kMaskedDenseKernel = {
    .name = "masked_dense",
    .family = "masked_dense",
    .isa = Isa::kAny,
    .tiling = "the dense library's",
    .one_packing = true,
    .refers_to_weight = false,
    .why_not = WhyNotTiled,
    .why_slower = NeverSlower,
    .pack = Pack,
    .multiply = Multiply,
};

}  // namespace twofour::sparse
