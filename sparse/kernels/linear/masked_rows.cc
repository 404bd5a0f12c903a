// Multiplies few batch rows with the dense weight as it lies, under its tile masks. This is for products that take
// about as long as one copy of the weight. What the masks keep is copied one cache-sized block at a time, just before
// the inner loops of the dense product (core/kernels/gemm/float_gemm_*-inl.h) multiply with it.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/linear/masked_weight.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/linear/masked_rows.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/linear/masked_rows_forward-inl.h"
#include "twofour/sparse/kernels/linear/masked_rows_input_grad-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

using namespace masked_rows;

void Multiply(const PackedWeight& packed, Direction direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& w = PackedAs<MaskedWeight>(packed, Isa::kAny);
  const bool forward = direction == Direction::kForward;
  const int64_t n = forward ? w.rows() : w.cols(), depth = forward ? w.cols() : w.rows();
  if (n == 0) return;
  if (depth == 0) {
    std::fill_n(out, batch * n, 0.0f);
    for (int64_t b = 0; b < batch; ++b) Finish(epilogue, 0, n, out + b * n);
    return;
  }
  for (int64_t row = 0; row < batch; row += kMostRows) {
    const int64_t rows = std::min(kMostRows, batch - row);
    if (forward) {
      Forward(w, rows, in + row * w.cols(), epilogue, out + row * w.rows());
    } else {
      InputGrad(w, rows, in + row * w.rows(), epilogue, out + row * w.cols());
    }
  }
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

Verdict CheckProblem(const LinearProblem& problem) {
  constexpr int64_t kMost = 256;  // For so many batch rows, one pass over the masks is enough.
  const Verdict tiled = CheckTiled(problem);
  if (!tiled.can()) return tiled;
  return problem.batch <= kMost ? Verdict{} : Verdict{Rejection::kTooManyRows, kMost};
}

std::unique_ptr<PackedWeight> Pack(const float* weight, const MaskView& mask, Direction) {
  return std::make_unique<MaskedWeight>(weight, mask);
}

}  // namespace

LinearKernel MaskedRowsKernel() {
  constexpr Isa kIsa = IsaOf(HWY_TARGET);
  return {.name = fmt::format("masked_rows_{}", NameOf(kIsa)),
          .family = "masked_rows",
          .isa = kIsa,
          .tiling =
              fmt::format("{} rows of the weight x 2 vectors of {}, {} columns", kTileRowsOut, kLanes, kTileBlockCols),
          .layout = PackedLayout::kInPlace,
          .one_packing = true,
          .check = CheckProblem,
          .pack = Pack,
          .multiply = MultiplyAs<float, Multiply>};
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

std::vector<LinearKernel> MaskedRowsKernels() {
#define TWOFOUR_ROW(space, isa) space::MaskedRowsKernel(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
}

}  // namespace twofour::sparse
#endif
