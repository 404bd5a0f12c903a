#include "twofour/sparse/low_bit_weight.h"

#include <algorithm>

#include "twofour/core/ceil_div.h"
#include "twofour/core/float8.h"
#include "twofour/core/half.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

const LowBitParts& Checked(const LowBitParts& parts, std::string_view source) {
  RequireLowBitParts(parts, source);
  return parts;
}

bool IsSparse(const MaskFormat& format) { return format != MaskFormat::Dense(); }
DType CodeDType(LowBitKind kind) { return kind == LowBitKind::kInt8 ? DType::kI8 : DType::kU8; }

}  // namespace

LowBitWeight::LowBitWeight(const Tensor& weight, const Mask& mask, const MaskFormat& format, LowBitKind kind,
                           std::string_view name)
    : LowBitWeight(RoundToFewBits(weight, mask, format, kind, name), name) {}

LowBitWeight::LowBitWeight(const LowBitParts& parts, std::string_view source)
    : UnpackingWeight(Checked(parts, source).rows, parts.cols,
                      LowBitMatrix::PaddedCols(IsSparse(parts.format), parts.cols), parts.format,
                      CodeDType(parts.kind)),
      kind_(parts.kind),
      matrix_(parts.kind, IsSparse(parts.format), parts.rows, parts.cols),
      kernel_(ChooseLowBitKernel()) {
  std::copy_n(parts.scales.data<float>(), parts.scales.numel(), matrix_.scales());
  if (cols() == 0) return;  // It may nevertheless have very many rows.
  const int64_t values = matrix_.values(), code_bytes = parts.codes.dim(1);
  const bool nvfp4 = kind_ == LowBitKind::kNvfp4;
  const auto* const codes = reinterpret_cast<const uint8_t*>(parts.codes.raw());
  ParallelFor(rows(), RowGrain(cols()), [&](int64_t begin, int64_t end) {
    LowBitRow row{.codes = std::vector<uint8_t>(static_cast<size_t>(values)), .places = {}, .block_scales = {}};
    for (int64_t r = begin; r < end; ++r) {
      const uint8_t* const from = codes + r * code_bytes;
      for (int64_t i = 0; i < values; ++i) {
        row.codes[static_cast<size_t>(i)] = nvfp4 ? static_cast<uint8_t>(from[i / 2] >> i % 2 * 4 & 15) : from[i];
      }
      if (parts.positions.defined()) {
        const uint8_t* const places = parts.positions.data<uint8_t>() + r * parts.positions.dim(1);
        row.places.resize(static_cast<size_t>(values));
        for (int64_t i = 0; i < values; ++i) {
          row.places[static_cast<size_t>(i)] = static_cast<uint8_t>(places[i / 4] >> i % 4 * 2 & 3);
        }
      }
      if (nvfp4) {
        const int64_t blocks = parts.block_scales.dim(1);
        const uint8_t* const scales = parts.block_scales.data<uint8_t>() + r * blocks;
        row.block_scales.assign(scales, scales + blocks);
      }
      matrix_.SetRow(r, row);
    }
  });
}

LowBitParts LowBitWeight::Parts() const {
  const bool nvfp4 = kind_ == LowBitKind::kNvfp4, sparse = IsSparse(pattern());
  const int64_t values = matrix_.values(), code_bytes = nvfp4 ? CeilDiv(values, int64_t{2}) : values;
  const int64_t place_bytes = CeilDiv(values, int64_t{4}), blocks = CeilDiv(values, kLowBitSpanValues);
  LowBitParts parts{.kind = kind_,
                    .format = pattern(),
                    .rows = rows(),
                    .cols = cols(),
                    .codes = Tensor::Zeros({rows(), code_bytes}, CodeDType(kind_)),
                    .positions = sparse ? Tensor::Zeros({rows(), place_bytes}, DType::kU8) : Tensor(),
                    .block_scales = nvfp4 ? Tensor::Empty({rows(), blocks}, DType::kU8) : Tensor(),
                    .scales = Tensor::Empty({nvfp4 ? 1 : rows()})};
  std::copy_n(matrix_.view().scales, parts.scales.numel(), parts.scales.mutable_data<float>());
  auto* const codes = reinterpret_cast<uint8_t*>(parts.codes.mutable_raw());
  for (int64_t r = 0; r < rows() && values > 0; ++r) {
    const LowBitRow row = matrix_.GetRow(r);
    for (int64_t i = 0; i < values; ++i) {
      uint8_t& code = codes[r * code_bytes + (nvfp4 ? i / 2 : i)];
      code = static_cast<uint8_t>(code | row.codes[static_cast<size_t>(i)] << (nvfp4 ? i % 2 * 4 : 0));
      if (!sparse) continue;
      uint8_t& places = parts.positions.mutable_data<uint8_t>()[r * place_bytes + i / 4];
      places = static_cast<uint8_t>(places | row.places[static_cast<size_t>(i)] << i % 4 * 2);
    }
    if (nvfp4) {
      std::copy_n(row.block_scales.data(), blocks, parts.block_scales.mutable_data<uint8_t>() + r * blocks);
    }
  }
  return parts;
}

template <typename T>
void LowBitWeight::UnpackNumbers(int64_t row, float scale, T* to) const {
  std::fill_n(to, padded_cols(), T(0.0F));
  const LowBitRow stored = matrix_.GetRow(row);
  float block_scale = 1;
  for (size_t i = 0; i < stored.codes.size(); ++i) {
    if (i % kLowBitSpanValues == 0 && !stored.block_scales.empty()) {
      block_scale = static_cast<float>(Float8E4M3::FromBits(stored.block_scales[i / kLowBitSpanValues]));
    }
    const size_t col = stored.places.empty() ? i : i / 2 * 4 + stored.places[i];
    to[col] = T(NumberOf(kind_, stored.codes[i]) * block_scale * scale);
  }
}

void LowBitWeight::UnpackRow(int64_t row, float* to) const { UnpackNumbers(row, matrix_.view().ScaleOf(row), to); }
void LowBitWeight::UnpackRow(int64_t row, BFloat16* to) const { UnpackNumbers(row, 1, to); }

void LowBitWeight::MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const {
  kernel_.multiply(matrix_.view(), batch, x, bias, y);
}

}  // namespace twofour::sparse
