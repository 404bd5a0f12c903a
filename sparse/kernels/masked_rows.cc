// Few batch rows times the dense weight as it lies, under its tile masks: for products that take about as long as one
// copy of the weight does. What the masks keep is copied a cache-sized block at a time, just before the dense kernels'
// inner loops (core/kernels/float_gemm_*-inl.h) multiply with it.
#include "twofour/core/kernels/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"
#include "twofour/sparse/kernels/masked_weight.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/masked_rows.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd_isa.h"
#include "twofour/sparse/kernels/masked_rows_forward-inl.h"
#include "twofour/sparse/kernels/masked_rows_input_grad-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

using namespace masked_rows;

void Multiply(const PackedWeight& packed, Direction direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& w = static_cast<const MaskedWeight&>(packed);
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

std::string WhyNot(const LinearShape& shape) {
  const std::string here = WhyNotHere(IsaOf(HWY_TARGET));
  return here.empty() ? WhyNotTiled(shape) : here;
}

std::string WhySlower(const LinearShape& shape) {
  constexpr int64_t kMost = 256;  // Batch rows for which one pass over the masks is enough.
  if (shape.batch <= kMost) return {};
  return fmt::format("pays up to {} batch rows, here {}", kMost, shape.batch);
}

std::unique_ptr<PackedWeight> Pack(const float* weight, const Mask& mask, Direction) {
  return std::make_unique<MaskedWeight>(weight, mask);
}

LinearKernel Kernel(std::string_view name, std::string_view tiling) {
  return {.name = name,
          .family = "masked_rows",
          .isa = IsaOf(HWY_TARGET),
          .tiling = tiling,
          .one_packing = true,
          .refers_to_weight = true,
          .why_not = WhyNot,
          .why_slower = WhySlower,
          .pack = Pack,
          .multiply = Multiply};
}

}  // namespace

LinearKernel MaskedRowsKernel() {
#if HWY_TARGET == HWY_AVX3
  return Kernel("masked_rows_avx512", "48 rows of the weight x 2 vectors of 16, 256 columns");
#elif HWY_TARGET == HWY_AVX2
  return Kernel("masked_rows_avx2", "48 rows of the weight x 2 vectors of 8, 256 columns");
#elif HWY_TARGET == HWY_SSE4
  return Kernel("masked_rows_sse4", "48 rows of the weight x 2 vectors of 4, 256 columns");
#elif HWY_TARGET == HWY_NEON
  return Kernel("masked_rows_neon", "48 rows of the weight x 2 vectors of 4, 256 columns");
#else
  return Kernel("masked_rows_portable", "48 rows of the weight x 2 vectors of 4, 256 columns");
#endif
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd_table.h"

namespace twofour::sparse {

std::span<const LinearKernel> MaskedRowsKernels() {
#define TWOFOUR_ROW(space, isa) space::MaskedRowsKernel(),
  static const LinearKernel kernels[] = {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

}  // namespace twofour::sparse
#endif
