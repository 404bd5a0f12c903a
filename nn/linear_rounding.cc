#include "twofour/nn/linear_rounding.h"

#include <utility>

namespace twofour::nn {
namespace {

/// Streams of a pass: RoundedLinear's five, and then the weight's two.
constexpr uint32_t kWeightStream = 5;

bool IsStochastic(const NumberFormat& format) { return format.rounding == NumberFormat::Rounding::kStochastic; }

sparse::LinearFormats ToNearest(sparse::LinearFormats formats) {
  for (NumberFormat* format : {&formats.weight, &formats.activation, &formats.gradient}) {
    format->rounding = NumberFormat::Rounding::kNearestEven;
  }
  return formats;
}

}  // namespace

void LinearRounding::SetMask(std::optional<sparse::Mask> mask, std::optional<sparse::MaskFormat> format) {
  const bool keeps_all = mask && mask->CountKept() == mask->rows() * mask->cols();
  mask_ = keeps_all ? std::nullopt : std::move(mask);
  mask_format_ = format;
  packed_ = nullptr;
}

std::shared_ptr<const sparse::SemiSparseWeight> LinearRounding::PackedOf(const Tensor& weight) {
  const std::lock_guard lock(rounding_);
  if (packed_ == nullptr || !packed_from_.IsSameStorage(weight) || packed_version_ != weight.version()) {
    packed_ = std::make_shared<const sparse::SemiSparseWeight>(weight, *mask_, nullptr, mask_format_);
    packed_from_ = weight;
    packed_version_ = weight.version();
  }
  return packed_;
}

std::shared_ptr<const sparse::RoundedWeight> LinearRounding::RoundedOf(
    const Tensor& weight, const std::shared_ptr<const sparse::SemiSparseWeight>& packed, const NumberFormat& format,
    const RandomKey& key) {
  RandomKey of_weight = key;
  of_weight.stream += kWeightStream;
  if (IsStochastic(format)) {
    return std::make_shared<const sparse::RoundedWeight>(weight, packed.get(), format, of_weight);
  }
  const std::lock_guard lock(rounding_);
  const bool known = rounded_ != nullptr && rounded_packed_ == packed && rounded_weight_.raw() == weight.raw() &&
                     rounded_version_ == weight.version();
  if (!known) {
    rounded_ = std::make_shared<const sparse::RoundedWeight>(weight, packed.get(), format, of_weight);
    rounded_packed_ = packed;
    rounded_weight_ = weight.Detach();  // Keeps its memory from another tensor.
    rounded_version_ = weight.version();
  }
  return rounded_;
}

Tensor LinearRounding::Forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                               std::shared_ptr<const sparse::SemiSparseWeight> packed, bool training,
                               std::optional<DType> result) {
  const sparse::LinearFormats formats = training ? formats_ : ToNearest(formats_);
  RandomKey key = key_;
  key.step = step_.fetch_add(1);
  if (packed == nullptr && mask_) packed = PackedOf(weight);
  return sparse::RoundedLinear(x, weight, bias, RoundedOf(weight, packed, formats.weight, key), formats, key, result);
}

}  // namespace twofour::nn
