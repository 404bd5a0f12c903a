#include "twofour/core/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/float4.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/formats/round_matrix.h"
#include "twofour/core/kernels/formats/scale_choice.h"
#include "twofour/core/parallel.h"

namespace twofour {
namespace {

using Kind = NumberFormat::Kind;
using Granularity = NumberFormat::Granularity;

bool HasBlockScales(const NumberFormat& format) {
  return format.kind == Kind::kNvfp4 || format.granularity == Granularity::kBlock;
}

int64_t BlockOf(const NumberFormat& format) { return format.kind == Kind::kNvfp4 ? kNvfp4Block : format.block; }

/// The shape of the scales that blocks do not have.
Shape ScalesShape(const NumberFormat& format, int64_t rows) {
  return {format.granularity == Granularity::kRow ? rows : 1};
}

/// The largest number that a scale is multiplied by.
float LargestOf(Kind kind) {
  if (kind == Kind::kNvfp4) return kernels::kNvfp4Largest;
  return kind == Kind::kE4M3 ? Float8E4M3::kLargest : Float8E5M2::kLargest;
}

void RequireMatrix(std::string_view op, const Tensor& x) {
  const bool fits = x.defined() && x.rank() == 2 && (x.dtype() == DType::kF32 || x.dtype() == DType::kBF16);
  if (!fits) throw Error(fmt::format("{}: x is {}, expected f32 or bf16 [rows, columns]", op, Describe(x)));
}

void RequireFormat(std::string_view op, const NumberFormat& format) {
  Faults faults(fmt::format("{}: ", op));
  Check(format, "format", faults);
  faults.Throw();
}

void RequireScales(std::string_view op, const Tensor& scales, const NumberFormat& format, int64_t rows) {
  if (!scales.defined()) return;
  if (format.kind == Kind::kBF16 || format.granularity == Granularity::kBlock) {
    throw Error(fmt::format("{}: scales are given, expected none for {}", op,
                            format.kind == Kind::kBF16 ? "bf16" : "scales of blocks"));
  }
  const Shape shape = ScalesShape(format, rows);
  if (scales.dtype() != DType::kF32 || scales.shape() != shape) {
    throw Error(fmt::format("{}: scales are {}, expected {}", op, Describe(scales), Describe(DType::kF32, shape)));
  }
  const float* const values = scales.data<float>();
  for (int64_t i = 0; i < scales.numel(); ++i) {
    if (values[i] >= kernels::kLeastScale && std::isfinite(values[i] * LargestOf(format.kind))) continue;
    throw Error(fmt::format("{}: scale {} is {}, expected {} to {}", op, i, values[i], kernels::kLeastScale,
                            std::numeric_limits<float>::max() / LargestOf(format.kind)));
  }
}

/// What RoundMatrix makes.
struct Rounding {
  Tensor values, scales, block_scales;
};

Rounding Round(std::string_view op, const Tensor& x, const NumberFormat& format, const RoundingOptions& options,
               bool fold_block_scales) {
  RequireFormat(op, format);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  RequireScales(op, options.scales, format, rows);
  if (options.first_element < 0 || options.first_element > kMaxCount) {
    throw Error(fmt::format("{}: first_element is {}, expected 0 to {}", op, options.first_element, kMaxCount));
  }
  Rounding made;
  made.scales = Tensor::Full(ScalesShape(format, rows), 1);
  if (format.kind == Kind::kBF16 && x.dtype() == DType::kBF16) {
    made.values = x.Detach();
    return made;
  }
  made.values = Tensor::Empty(x.shape(), DType::kBF16);
  if (HasBlockScales(format) && !fold_block_scales) {
    made.block_scales = Tensor::Empty({rows, CeilDiv(cols, BlockOf(format))});
  }
  const kernels::MatrixRounding how = {
      .format = format,
      .key = options.key,
      .first_element = options.first_element,
      .fold_block_scales = fold_block_scales,
      .given_scales = options.scales.defined() ? options.scales.data<float>() : nullptr};
  const kernels::RoundedMatrixPointers out = {
      .values = made.values.mutable_data<BFloat16>(),
      .scales = made.scales.mutable_data<float>(),
      .block_scales = made.block_scales.defined() ? made.block_scales.mutable_data<float>() : nullptr};
  if (x.dtype() == DType::kF32) {
    kernels::RoundMatrix(how, rows, cols, x.data<float>(), out);
  } else {
    kernels::RoundMatrix(how, rows, cols, x.data<BFloat16>(), out);
  }
  return made;
}

void RequireFinite(const Tensor& x) {
  const Tensor wide = x.To(DType::kF32);
  const int64_t at = kernels::FindNonFinite(wide.numel(), wide.data<float>());
  if (at < 0) return;
  throw Error(fmt::format("Quantize: element [{}, {}] is {}, expected finite numbers", at / x.dim(1), at % x.dim(1),
                          wide.data<float>()[at]));
}

/// The codes of numbers of E2M1, two in a byte.
Tensor PackedE2M1(const Tensor& values) {
  const int64_t rows = values.dim(0), cols = values.dim(1), bytes = CeilDiv(cols, int64_t{2});
  Tensor codes = Tensor::Empty({rows, bytes}, DType::kU8);
  const BFloat16* const from = values.data<BFloat16>();
  uint8_t* const to = codes.mutable_data<uint8_t>();
  const auto code = [=](int64_t row, int64_t col) {
    return col < cols ? E2M1FromFloat(static_cast<float>(from[row * cols + col])) : uint8_t{0};
  };
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t b = 0; b < bytes; ++b) to[row * bytes + b] = PackE2M1(code(row, 2 * b), code(row, 2 * b + 1));
    }
  });
  return codes;
}

void RequirePart(std::string_view name, const Tensor& part, DType dtype, const Shape& shape) {
  if (part.defined() && part.dtype() == dtype && part.shape() == shape) return;
  throw Error(fmt::format("Dequantize: {} is {}, expected {}", name, Describe(part), Describe(dtype, shape)));
}

DType CodeDType(Kind kind) {
  switch (kind) {
    case Kind::kBF16:
      return DType::kBF16;
    case Kind::kE4M3:
      return DType::kF8E4M3;
    case Kind::kE5M2:
      return DType::kF8E5M2;
    case Kind::kNvfp4:
      break;
  }
  return DType::kU8;
}

void RequireParts(const QuantizedMatrix& matrix) {
  RequireFormat("Dequantize", matrix.format);
  const NumberFormat& format = matrix.format;
  const int64_t rows = matrix.rows, cols = matrix.cols;
  if (rows < 0 || cols < 0) throw Error(fmt::format("Dequantize: shape is [{}, {}], expected sizes", rows, cols));
  const bool is_nvfp4 = format.kind == Kind::kNvfp4;
  const Shape shape = {rows, is_nvfp4 ? cols / 2 + cols % 2 : cols};
  RequirePart("codes", matrix.codes, CodeDType(format.kind), shape);
  const bool of_blocks = format.granularity == Granularity::kBlock;
  RequirePart("scales", matrix.scales, DType::kF32,
              of_blocks ? Shape{rows, CeilDiv(cols, format.block)} : ScalesShape(format, rows));
  if (is_nvfp4) {
    RequirePart("block_scales", matrix.block_scales, DType::kF8E4M3, {rows, CeilDiv(cols, kNvfp4Block)});
  } else if (matrix.block_scales.defined()) {
    throw Error(fmt::format("Dequantize: block_scales are {}, expected none for {}", Describe(matrix.block_scales),
                            NameOf(format.kind)));
  }
}

/// Calls value(row, col) for each element of a matrix, on all threads.
template <typename F>
Tensor MakeMatrix(int64_t rows, int64_t cols, const F& value) {
  Tensor result = Tensor::Empty({rows, cols});
  float* const out = result.mutable_data<float>();
  ParallelFor(rows, RowGrain(cols), [&, out](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < cols; ++col) out[row * cols + col] = value(row, col);
    }
  });
  return result;
}

}  // namespace

QuantizedMatrix Quantize(const Tensor& x, const NumberFormat& format, const RoundingOptions& options) {
  RequireMatrix("Quantize", x);
  RequireFinite(x);
  Rounding made = Round("Quantize", x, format, options, false);
  QuantizedMatrix matrix = {.format = format, .rows = x.dim(0), .cols = x.dim(1)};
  matrix.scales = std::move(made.scales);
  if (format.kind == Kind::kNvfp4) {
    matrix.codes = PackedE2M1(made.values);
    matrix.block_scales = made.block_scales.To(DType::kF8E4M3);
  } else {
    matrix.codes = made.values.To(CodeDType(format.kind));
    if (format.granularity == Granularity::kBlock) matrix.scales = std::move(made.block_scales);
  }
  return matrix;
}

Tensor Dequantize(const QuantizedMatrix& matrix) {
  RequireParts(matrix);
  const int64_t rows = matrix.rows, cols = matrix.cols;
  const float* const scales = matrix.scales.data<float>();
  if (matrix.format.kind == Kind::kNvfp4) {
    const uint8_t* const codes = matrix.codes.data<uint8_t>();
    const Float8E4M3* const block_scales = matrix.block_scales.data<Float8E4M3>();
    const int64_t bytes = matrix.codes.dim(1), blocks = matrix.block_scales.dim(1);
    return MakeMatrix(rows, cols, [=](int64_t row, int64_t col) {
      const auto code = static_cast<uint8_t>(codes[row * bytes + col / 2] >> (col % 2 * 4));
      const auto block_scale = static_cast<float>(block_scales[row * blocks + col / kNvfp4Block]);
      return E2M1ToFloat(code) * block_scale * scales[0];
    });
  }
  const Tensor codes = matrix.codes.To(DType::kF32);
  const float* const values = codes.data<float>();
  const bool of_rows = matrix.format.granularity == Granularity::kRow;
  const bool of_blocks = matrix.format.granularity == Granularity::kBlock;
  const int64_t block = of_blocks ? matrix.format.block : std::max<int64_t>(cols, 1);
  const int64_t row_scales = of_blocks ? CeilDiv(cols, block) : of_rows ? 1 : 0;
  return MakeMatrix(rows, cols, [=](int64_t row, int64_t col) {
    return values[row * cols + col] * scales[row * row_scales + col / block];
  });
}

RoundedMatrix RoundTo(const Tensor& x, const NumberFormat& format, const RoundingOptions& options) {
  RequireMatrix("RoundTo", x);
  Rounding made = Round("RoundTo", x, format, options, true);
  return {.values = std::move(made.values), .scales = std::move(made.scales)};
}

}  // namespace twofour
