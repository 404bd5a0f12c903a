#include "twofour/sparse/inference_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr const char* kName = "packed weight";

}  // namespace

template <typename T>
void InferenceWeight::UnpackRows(int64_t begin, int64_t end, T* to) const {
  ParallelFor(end - begin, RowGrain(padded_cols_), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) UnpackRow(begin + row, to + row * padded_cols_);
  });
}
template void InferenceWeight::UnpackRows(int64_t, int64_t, float*) const;
template void InferenceWeight::UnpackRows(int64_t, int64_t, BFloat16*) const;

Tensor InferenceWeight::Unpack() const {
  std::vector<float> padded(static_cast<size_t>(rows_ * padded_cols_));
  UnpackRows(0, rows_, padded.data());
  Tensor weight = Tensor::Empty({rows_, cols_});
  float* const to = weight.mutable_data<float>();
  for (int64_t row = 0; row < rows_; ++row) std::copy_n(padded.data() + row * padded_cols_, cols_, to + row * cols_);
  return weight;
}

Tensor InferenceWeight::Multiply(const Tensor& x, const Tensor& bias) const {
  if (!x.defined() || !GoesWith(x.dtype(), DType::kF32) || x.rank() < 1 || x.cols() != cols_) {
    throw Error(fmt::format("{}: x is {}, expected f32, f16 or bf16 [..., {}]", kName, Describe(x), cols_));
  }
  if (bias.defined()) {
    ops::RequireDType(kName, "bias", bias, DType::kF32);
    if (bias.shape() != Shape{rows_}) {
      throw Error(fmt::format("{}: bias {}, expected [{}]", kName, ToString(bias.shape()), rows_));
    }
  }
  Shape shape = x.shape();
  shape.back() = rows_;
  Tensor y = Tensor::Empty(shape, x.dtype());
  if (y.numel() > 0) Product(x, bias.defined() ? bias.data<float>() : nullptr, y);
  return y;
}

}  // namespace twofour::sparse
