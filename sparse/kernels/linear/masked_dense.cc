// Multiplies with the masked weight, zeros included, by the dense product. Sparse kernels must be faster than this. It
// is also the fallback where they are not.
#include <algorithm>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/half.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/gemm/convert_rows.h"
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

template <typename T>
void Multiply(const PackedWeight& packed, Direction direction, int64_t batch, const T* in, const Epilogue& epilogue,
              T* out) {
  const auto& w = PackedAs<MaskedDense>(packed, Isa::kAny);
  const bool forward = direction == Direction::kForward;
  const int64_t n = forward ? w.out_features : w.in_features, k = forward ? w.in_features : w.out_features;
  const auto multiply = [&](auto* to) {
    kernels::Gemm(kernels::GemmProblem<T, float, std::remove_pointer_t<decltype(to)>>{
        .m = batch,
        .n = n,
        .k = k,
        .a = in,
        .lda = k,
        .b = w.weight.data(),
        .ldb = w.in_features,
        .transpose_b = forward ? Transpose::kYes : Transpose::kNo,
        .c = to,
        .ldc = n,
        .bias = epilogue.bias});
  };
  if (!epilogue.relu_squared) return multiply(out);
  if constexpr (std::is_same_v<T, float>) {
    multiply(out);
    kernels::ReluSquared(batch * n, out, out);
  } else {
    AlignedBuffer<float> sums(batch * n);  // They are rounded once, after the epilogue.
    multiply(sums.data());
    kernels::ReluSquared(batch * n, sums.data(), sums.data());
    kernels::ConvertRows(batch, n, sums.data(), n, out, n);
  }
}

template <typename T>
LinearKernel Kernel(const char* name) {
  return {.name = name,
          .family = name,
          .isa = Isa::kAny,
          .tiling = "the dense library's",
          .layout = PackedLayout::kMaskedCopy,
          .one_packing = true,
          .activation = DTypeOf<T>(),
          .check = CheckNothing,
          .pack = Pack,
          .multiply = MultiplyAs<T, Multiply<T>>};
}

}  // namespace

std::vector<LinearKernel> MaskedDenseKernels() {
  return {Kernel<float>("masked_dense"), Kernel<BFloat16>("masked_dense_bf16")};
}

}  // namespace twofour::sparse
