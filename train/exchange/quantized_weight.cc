#include "twofour/train/exchange/quantized_weight.h"

#include <bit>

#include "twofour/sparse/row_packed_weight.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::train {
namespace {

using sparse::LowBitKind;
using sparse::LowBitParts;
using sparse::Mask;
using sparse::MaskFormat;

bool IsRows(const MaskFormat& format) {
  return format.kind == MaskFormat::Kind::kRows || format.kind == MaskFormat::Kind::kTransposable;
}

bool Fits(const Mask& mask, const MaskFormat& format) {
  switch (format.kind) {
    case MaskFormat::Kind::kRows:
      return sparse::FitsRows(mask, format);
    case MaskFormat::Kind::kTransposable:
      return sparse::IsTwoOfFour(format) ? mask.format() == MaskFormat::TwoOfFour()
                                         : sparse::FitsRows(mask, MaskFormat::Rows(format.n, format.m));
    case MaskFormat::Kind::kVnm:
    case MaskFormat::Kind::kVnmRows:
      return !sparse::FindVnmViolation(mask.view(), format.vnm());
    default:
      return true;
  }
}

/// Whether nothing is gained from where the zeros are, so that they are stored like other numbers.
bool IsStoredDense(const MaskFormat& format) {
  return format.kind == MaskFormat::Kind::kUnstructured || format.kind == MaskFormat::Kind::kBlocks;
}

Tensor Dequantized(const MaskedInt8Matrix& weight) {
  Tensor numbers = weight.matrix.values.To(DType::kF32);
  float* to = numbers.mutable_data<float>();
  for (int64_t row = 0; row < numbers.dim(0); ++row) {
    const float scale = weight.matrix.scales.data<float>()[row];
    for (int64_t col = 0; col < numbers.dim(1); ++col, ++to) *to = *to == 0 ? 0 : scale * *to;
  }
  return numbers;
}

}  // namespace

LowBitKind KindOf(const QuantizedWeight& weight) {
  const auto* const parts = std::get_if<LowBitParts>(&weight);
  return parts == nullptr ? LowBitKind::kInt8 : parts->kind;
}

const MaskFormat& MaskFormatOf(const QuantizedWeight& weight) {
  return std::visit([](const auto& one) -> const MaskFormat& { return one.format; }, weight);
}

MaskFormat FormatThatHolds(const Mask& mask, const MaskFormat& format) {
  return Fits(mask, format) ? format : MaskFormat::Unstructured();
}

bool HasFileForm(LowBitKind kind, const MaskFormat& format) {
  return kind == LowBitKind::kInt8 || sparse::HasLowBitForm(format) || IsStoredDense(format);
}

QuantizedWeight Quantize(const Tensor& weight, const Mask& mask, const MaskFormat& format, LowBitKind kind,
                         const std::string& name) {
  if (kind == LowBitKind::kInt8) return QuantizeToInt8(weight, mask, format, name);
  const MaskFormat held = FormatThatHolds(mask, format);
  return sparse::RoundToFewBits(weight, mask, IsStoredDense(held) ? MaskFormat::Dense() : held, kind, name);
}

MaskedInt8Matrix QuantizeToInt8(const Tensor& weight, const Mask& mask, const MaskFormat& format,
                                const std::string& name) {
  return {.matrix = sparse::QuantizeRows(sparse::ApplyMask(weight, mask), name),
          .mask = mask,
          .format = FormatThatHolds(mask, format)};
}

Tensor Dequantize(const QuantizedWeight& weight) {
  if (const auto* const parts = std::get_if<LowBitParts>(&weight)) return sparse::Dequantize(*parts);
  return Dequantized(std::get<MaskedInt8Matrix>(weight));
}

WeightForm FormOf(const QuantizedWeight& weight) {
  const MaskFormat& format = MaskFormatOf(weight);
  if (KindOf(weight) != LowBitKind::kInt8) {
    return format == MaskFormat::Dense() ? WeightForm::kDense : WeightForm::kPacked;
  }
  if (format.is_vnm()) return WeightForm::kPackedVnm;
  if (!IsRows(format) || format.m > sparse::RowPackedWeight::kMostNeighbours) return WeightForm::kDense;
  // A value takes 8 bits and its place a few.
  const int bits = std::bit_width(static_cast<unsigned>(format.m - 1));
  return format.n * (8 + bits) < format.m * 8 ? WeightForm::kPacked : WeightForm::kDense;
}

}  // namespace twofour::train
