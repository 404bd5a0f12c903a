// Multiplies with the masked weight, zeros included, by the dense product. Sparse kernels must be faster than this. It
// is also the fallback where they are not.
#include <algorithm>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/search/mask_passes.h"

namespace twofour::sparse {
namespace {

using kernels::Transpose;

struct MaskedDense final : public PackedWeight {
  static constexpr PackedLayout kLayout = PackedLayout::kMaskedCopy;

  MaskedDense(int64_t out, int64_t in)
      : PackedWeight(kLayout, Isa::kAny), out_features(out), in_features(in), weight(out * in) {}

  int64_t out_features, in_features;
  AlignedBuffer<float> weight;  // [out_features, in_features]
  size_t bytes() const override { return weight.bytes(); }
};

std::unique_ptr<PackedWeight> Pack(const float* weight, const MaskView& mask, Direction) {
  auto packed = std::make_unique<MaskedDense>(mask.rows, mask.cols);
  ApplyMask(weight, mask, packed->weight.data());
  return packed;
}

void Multiply(const PackedWeight& packed, Direction direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& w = PackedAs<MaskedDense>(packed, Isa::kAny);
  const bool forward = direction == Direction::kForward;
  const int64_t n = forward ? w.out_features : w.in_features, k = forward ? w.in_features : w.out_features;
  kernels::Gemm(Transpose::kNo, forward ? Transpose::kYes : Transpose::kNo, batch, n, k, in, w.weight.data(), out);
  if (epilogue.bias != nullptr) kernels::AddRow(batch, n, epilogue.bias, out);
  if (epilogue.relu_squared) kernels::ReluSquared(batch * n, out, out);
}

}  // namespace

LinearKernel MaskedDenseKernel() {
  return {.name = "masked_dense",
          .family = "masked_dense",
          .isa = Isa::kAny,
          .tiling = "the dense library's",
          .layout = PackedLayout::kMaskedCopy,
          .one_packing = true,
          .check = CheckNothing,
          .pack = Pack,
          .multiply = MultiplyAs<float, Multiply>};
}

}  // namespace twofour::sparse
