#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/core/quantize.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/sparse/kernels/low_bit/low_bit_matrix.h"
#include "twofour/sparse/low_bit_parts.h"

namespace twofour::sparse {
namespace {

/// What a mask keeps of a weight, in rows of stored values.
struct Kept {
  Tensor values;     ///< f32 [rows, values]
  Tensor positions;  ///< As LowBitParts has them.
};

Kept TakeDense(const Tensor& weight, const Mask& mask) { return {ApplyMask(weight, mask), {}}; }

Kept TakeTwoOfFour(const Tensor& weight, const Mask& mask, std::string_view name) {
  const int64_t rows = weight.dim(0), cols = weight.dim(1), groups = CeilDiv(cols, int64_t{4});
  const int64_t row_bytes = CeilDiv(groups, int64_t{2});
  Kept kept{Tensor::Zeros({rows, 2 * groups}), Tensor::Zeros({rows, row_bytes}, DType::kU8)};
  const float* const from = weight.data<float>();
  float* const values = kept.values.mutable_data<float>();
  uint8_t* const positions = kept.positions.mutable_data<uint8_t>();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        int count = 0, keeps = 0;
        for (int place = 0; place < 4 && 4 * group + place < cols; ++place) {
          if (mask.view().Keeps(row, 4 * group + place)) keeps |= 1 << place, ++count;
        }
        if (count > 2) {
          throw Error(fmt::format("{}: row {} keeps {} of columns {} to {}, expected at most 2", name, row, count,
                                  4 * group, 4 * group + 3));
        }
        const int dropped = ~keeps & 15;
        for (int fill = 0; count < 2; ++fill) {
          if ((dropped >> fill & 1) != 0) keeps |= 1 << fill, ++count;
        }
        int which = 0, places = 0;
        for (int place = 0; place < 4; ++place) {
          if ((keeps >> place & 1) == 0) continue;
          const int64_t col = 4 * group + place;
          const bool was_kept = (dropped >> place & 1) == 0;
          values[row * 2 * groups + 2 * group + which] = was_kept ? from[row * cols + col] : 0.0F;
          places |= place << 2 * which++;
        }
        uint8_t& byte = positions[row * row_bytes + group / 2];
        byte = static_cast<uint8_t>(byte | places << group % 2 * 4);
      }
    }
  });
  return kept;
}

void RequireFinite(const Tensor& values, std::string_view name) {
  const float* const first = values.data<float>();
  const float* const found =
      std::find_if_not(first, first + values.numel(), [](float value) { return std::isfinite(value); });
  if (found == first + values.numel()) return;
  throw Error(fmt::format("{}: {} in row {}, expected finite numbers", name, *found, (found - first) / values.dim(1)),
              ErrorKind::kRuntimeFailure);
}

void RoundToE4M3(const Tensor& values, LowBitParts& parts) {
  const QuantizedMatrix matrix =
      Quantize(values, {.kind = NumberFormat::Kind::kE4M3, .granularity = NumberFormat::Granularity::kRow});
  parts.codes = ToE4M3Bits(matrix.codes), parts.scales = matrix.scales;
}

void RoundToNvfp4(const Tensor& values, LowBitParts& parts) {
  static_assert(kLowBitSpanValues == kNvfp4Block);
  const QuantizedMatrix matrix = Quantize(values, {.kind = NumberFormat::Kind::kNvfp4});
  parts.codes = matrix.codes, parts.scales = matrix.scales, parts.block_scales = ToE4M3Bits(matrix.block_scales);
}

/// The parts but for codes and scales, and the stored values f32 [rows, values].
LowBitParts Take(const Tensor& weight, const Mask& mask, const MaskFormat& format, LowBitKind kind,
                 std::string_view name, Tensor& values) {
  if (weight.shape() != Shape{mask.rows(), mask.cols()}) {
    throw Error(fmt::format("{}: weight {}, expected the mask's shape [{}, {}]", name, ToString(weight.shape()),
                            mask.rows(), mask.cols()));
  }
  if (!HasLowBitForm(format)) {
    throw Error(
        fmt::format("{}: pattern {}, expected dense, 2:4 along rows or 2:4 both ways", name, format.ToString()));
  }
  Kept kept = format == MaskFormat::Dense() ? TakeDense(weight, mask) : TakeTwoOfFour(weight, mask, name);
  values = std::move(kept.values);
  return {.kind = kind,
          .format = format,
          .rows = mask.rows(),
          .cols = mask.cols(),
          .codes = {},
          .positions = std::move(kept.positions),
          .block_scales = {},
          .scales = {}};
}

}  // namespace

LowBitParts LowBitPartsOf(const Int8Matrix& matrix, const Mask& mask, const MaskFormat& format, std::string_view name) {
  RequireInt8Matrix(matrix, name);
  Tensor values;
  LowBitParts parts = Take(matrix.values.To(DType::kF32), mask, format, LowBitKind::kInt8, name, values);
  parts.codes = values.To(DType::kI8), parts.scales = matrix.scales;
  return parts;
}

LowBitParts RoundToFewBits(const Tensor& weight, const Mask& mask, const MaskFormat& format, LowBitKind kind,
                           std::string_view name) {
  const std::string source(name);
  ops::RequireDType(source.c_str(), "weight", weight, DType::kF32);
  Tensor values;
  LowBitParts parts = Take(weight, mask, format, kind, name, values);
  RequireFinite(values, name);
  switch (kind) {
    case LowBitKind::kInt8: {
      Int8Matrix matrix = QuantizeRows(values, name);
      parts.codes = std::move(matrix.values), parts.scales = std::move(matrix.scales);
      break;
    }
    case LowBitKind::kE4M3:
      RoundToE4M3(values, parts);
      break;
    case LowBitKind::kNvfp4:
      RoundToNvfp4(values, parts);
  }
  return parts;
}

}  // namespace twofour::sparse
