#include "twofour/sparse/int8_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr float kLargest = 127;

LinearProblem ProblemOf(const Mask& mask, const MaskFormat& format) {
  return {.out_features = mask.rows(), .in_features = mask.cols(), .format = format};
}

MaskView ViewOf(const Mask& mask, const MaskFormat& format) {
  MaskView view = mask.view();
  if (format.kind == MaskFormat::Kind::kVnm) view.vnm = format.vnm();
  return view;
}

const Int8Matrix& Checked(const Int8Matrix& matrix, const Mask& mask) {
  RequireInt8Matrix(matrix, "Int8Weight");
  if (matrix.values.dim(0) != mask.rows() || matrix.values.dim(1) != mask.cols()) {
    throw Error(fmt::format("Int8Weight: values {}, expected the mask's shape [{}, {}]",
                            ToString(matrix.values.shape()), mask.rows(), mask.cols()));
  }
  return matrix;
}

}  // namespace

Int8Matrix QuantizeRows(const Tensor& weight, std::string_view name) {
  if (!weight.defined() || weight.dtype() != DType::kF32 || weight.rank() != 2) {
    throw Error(fmt::format("{}: {}, expected f32 [rows, cols]", name, Describe(weight)));
  }
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  Int8Matrix matrix{Tensor::Empty({rows, cols}, DType::kI8), Tensor::Empty({rows})};
  const float* const from = weight.data<float>();
  int8_t* const to = matrix.values.mutable_data<int8_t>();
  float* const scales = matrix.scales.mutable_data<float>();
  for (int64_t i = 0; i < rows * cols; ++i) {
    if (std::isfinite(from[i])) continue;
    throw Error(fmt::format("{}: {} at [{}, {}], expected finite numbers", name, from[i], i / cols, i % cols),
                ErrorKind::kRuntimeFailure);
  }
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const numbers = from + row * cols;
      float largest = 0;
      for (int64_t col = 0; col < cols; ++col) largest = std::max(largest, std::fabs(numbers[col]));
      // A scale must not vanish, however small the numbers are.
      float scale = largest == 0 ? 1 : std::max(largest / kLargest, 0x1p-120F);
      if (!std::isfinite(scale * kLargest)) scale = std::nextafter(scale, 0.0F);
      for (int64_t col = 0; col < cols; ++col) {
        to[row * cols + col] =
            static_cast<int8_t>(std::clamp(std::nearbyint(numbers[col] / scale), -kLargest, kLargest));
      }
      scales[row] = scale;
    }
  });
  return matrix;
}

void RequireInt8Matrix(const Int8Matrix& matrix, std::string_view source) {
  const auto& [values, scales] = matrix;
  if (!values.defined() || values.dtype() != DType::kI8 || values.rank() != 2) {
    throw Error(fmt::format("{}: values {}, expected i8 [rows, cols]", source, Describe(values)));
  }
  if (values.dim(1) > kMostInt8Columns) {
    throw Error(fmt::format("{}: {} columns, expected at most {}, so that sums fit into 32 bits", source, values.dim(1),
                            kMostInt8Columns));
  }
  if (!scales.defined() || scales.dtype() != DType::kF32 || scales.shape() != Shape{values.dim(0)}) {
    throw Error(
        fmt::format("{}: scales {}, expected f32 [{}], one for each row", source, Describe(scales), values.dim(0)));
  }
  for (int64_t row = 0; row < values.dim(0); ++row) {
    const float scale = scales.data<float>()[row];
    if (scale > 0 && std::isfinite(scale * kLargest)) continue;
    throw Error(fmt::format("{}: the scale of row {} is {}, expected a number above 0 with which all values are finite",
                            source, row, scale));
  }
  const int8_t* const first = values.data<int8_t>();
  const int8_t* const found = std::find(first, first + values.numel(), int8_t{-128});
  if (found == first + values.numel()) return;
  throw Error(fmt::format("{}: value -128 at [{}, {}], expected -127 to 127", source, (found - first) / values.dim(1),
                          (found - first) % values.dim(1)));
}

Int8Weight::Int8Weight(const Int8Matrix& matrix, const Mask& mask, const MaskFormat& format,
                       std::optional<Int8Range> activation)
    : InferenceWeight(mask.rows(), mask.cols(), mask.cols(), format, Checked(matrix, mask).values.dtype()),
      scales_(matrix.scales),
      row_sums_(static_cast<size_t>(mask.rows())),
      activation_(activation),
      kernel_(ChooseInt8Kernel(ProblemOf(mask, format))),
      packed_(kernel_.pack({matrix.values.data<int8_t>(), mask.rows(), mask.cols()}, ViewOf(mask, format))) {
  const bool fits = !activation || (std::isfinite(activation->scale) && activation->scale > 0 &&
                                    activation->zero_point >= 0 && activation->zero_point <= 255);
  if (!fits) {
    throw Error(fmt::format(
        "Int8Weight: activations of scale {} and zero point {}, expected a finite scale above 0 and 0 to 255",
        activation->scale, activation->zero_point));
  }
  std::vector<int8_t> numbers(static_cast<size_t>(cols()));
  for (int64_t row = 0; row < rows(); ++row) {
    packed_->UnpackRow(row, numbers.data());
    for (const int8_t number : numbers) row_sums_[static_cast<size_t>(row)] += number;
  }
}

size_t Int8Weight::bytes() const { return packed_->bytes() + row_sums_.size() * (sizeof(int32_t) + sizeof(float)); }

Tensor Int8Weight::Values() const {
  Tensor values = Tensor::Empty({rows(), cols()}, DType::kI8);
  for (int64_t row = 0; row < rows(); ++row) packed_->UnpackRow(row, values.mutable_data<int8_t>() + row * cols());
  return values;
}

void Int8Weight::Product(const Tensor& x, const float* bias, Tensor& y) const {
  const bool half = x.dtype() == DType::kF16;
  const Tensor in = half ? x.To(DType::kF32) : x;
  Tensor out = half ? Tensor::Empty(y.shape()) : y;
  kernel_.multiply(*packed_,
                   {.scales = scales_.data<float>(),
                    .bias = bias,
                    .row_sums = row_sums_.data(),
                    .activation = activation_ ? &*activation_ : nullptr},
                   y.numel() / rows(), in.dtype(), in.raw(), out.mutable_raw());
  if (half) y = out.To(DType::kF16);
}

void Int8Weight::UnpackRow(int64_t row, float* to) const {
  std::vector<int8_t> numbers(static_cast<size_t>(cols()));
  packed_->UnpackRow(row, numbers.data());
  const float scale = scales_.data<float>()[row];
  std::ranges::transform(numbers, to, [scale](int8_t number) { return scale * static_cast<float>(number); });
}

void Int8Weight::UnpackRow(int64_t row, BFloat16* to) const {
  std::vector<float> numbers(static_cast<size_t>(cols()));
  UnpackRow(row, numbers.data());
  std::ranges::transform(numbers, to, [](float number) { return BFloat16(number); });
}

}  // namespace twofour::sparse
