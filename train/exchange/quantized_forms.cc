#include "twofour/train/exchange/quantized_forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"

namespace twofour::train {
namespace {

using sparse::LowBitKind;
using Endings = std::vector<std::string_view>;
using Tensors = std::map<std::string, Tensor>;

constexpr std::string_view kWeight = ".weight", kWeightScale = ".weight_scale", kZeroPoint = ".weight_zero_point";

bool Contains(const Endings& endings, std::string_view ending) {
  return std::ranges::find(endings, ending) != endings.end();
}

std::vector<QuantizedForm> MakeForms() {
  const Endings dense = {kWeight}, packed = {".weight_values", ".weight_positions", ".weight_pattern"},
                vnm = {".weight_vnm_values", ".weight_vnm_positions", ".weight_vnm_columns", ".weight_vnm_pattern"};
  const Endings one_scale = {".weight_scale"}, two_scales = {".weight_scale", ".weight_scale_2"};
  const Endings range = {".input_scale", ".input_zero_point"};
  const Endings of_bytes = {kZeroPoint}, of_floats = {kZeroPoint, ".input_scale"};
  return {{LowBitKind::kInt8, WeightForm::kDense, DType::kI8, dense, one_scale, range, of_bytes},
          {LowBitKind::kInt8, WeightForm::kPacked, DType::kI8, packed, one_scale, range, of_bytes},
          {LowBitKind::kInt8, WeightForm::kPackedVnm, DType::kI8, vnm, one_scale, range, of_bytes},
          {LowBitKind::kE4M3, WeightForm::kDense, DType::kF8E4M3, dense, one_scale, {}, of_floats},
          {LowBitKind::kE4M3, WeightForm::kPacked, DType::kF8E4M3, packed, one_scale, {}, of_floats},
          {LowBitKind::kNvfp4, WeightForm::kDense, DType::kU8, dense, two_scales, {".weight_shape"}, of_floats},
          {LowBitKind::kNvfp4, WeightForm::kPacked, DType::kU8, packed, two_scales, {}, of_floats}};
}

/// The endings that some form has. What else is called X.weight or X.weight_values may be a weight of floats.
std::set<std::string_view> AllEndings() {
  std::set<std::string_view> all;
  for (const QuantizedForm& form : QuantizedForms()) {
    for (const Endings* const endings : {&form.parts, &form.scales, &form.optional, &form.foreign}) {
      all.insert(endings->begin(), endings->end());
    }
  }
  return all;
}

bool MayBeOfFloats(std::string_view ending) {
  return std::ranges::any_of(QuantizedForms(), [&](const QuantizedForm& form) { return Contains(form.parts, ending); });
}

/// The weights whose values and scales are there.
std::map<std::string, StoredWeight> FindValues(const SafetensorsFile& file, const Tensors& tensors,
                                               const std::string& source, bool strict) {
  std::map<std::string, StoredWeight> found;
  for (const NamedTensor& named : file.tensors) {
    for (const QuantizedForm& form : QuantizedForms()) {
      if (named.tensor.dtype() != form.values) continue;
      const std::string stem = StemOf(named.name, form.parts.front());
      if (stem.empty()) continue;
      const auto missing = std::ranges::find_if(
          form.scales, [&](std::string_view ending) { return !tensors.contains(stem + std::string(ending)); });
      if (missing != form.scales.end()) {
        // Bytes with scales of blocks can be nothing else.
        const auto scale = tensors.find(stem + std::string(kWeightScale));
        const bool is_clear =
            form.kind == LowBitKind::kNvfp4 && scale != tensors.end() && scale->second.dtype() == DType::kF8E4M3;
        if (!strict && !is_clear) continue;
        throw Error(fmt::format("{}: is of {}, but {} is missing", NameIn(source, named.name), NameOf(form.kind),
                                QuoteForMessage(stem + std::string(*missing))));
      }
      const auto [other, is_first] = found.try_emplace(stem, StoredWeight{&form});
      if (is_first) continue;
      throw Error(fmt::format("{}: is there both {} and {}", NameIn(source, stem + ".weight"),
                              NameOf(other->second.form->form), NameOf(form.form)));
    }
  }
  return found;
}

void RequireNotDenseToo(const SafetensorsFile& file, const Tensors& tensors, const std::string& source,
                        const std::string& stem, WeightForm form) {
  const std::string dense = stem + std::string(kWeight);
  const bool skipped = std::ranges::find(file.skipped, dense, &SkippedTensor::name) != file.skipped.end();
  if (!skipped && !tensors.contains(dense)) return;
  throw Error(fmt::format("{}: is there both dense and {}", NameIn(source, dense), NameOf(form)));
}

/// No weight has a zero point but 0.
void RequireSymmetric(const SafetensorsFile& file, const Tensors& tensors, const std::string& source,
                      const std::string& stem) {
  const std::string name = stem + std::string(kZeroPoint);
  const auto found = tensors.find(name);
  const bool skipped = std::ranges::find(file.skipped, name, &SkippedTensor::name) != file.skipped.end();
  if (found == tensors.end() && !skipped) return;
  if (!skipped) {
    const std::byte* const bytes = found->second.raw();
    const size_t size = static_cast<size_t>(found->second.numel()) * SizeOf(found->second.dtype());
    if (std::all_of(bytes, bytes + size, [](std::byte byte) { return byte == std::byte{0}; })) return;
  }
  throw Error(fmt::format("{}: a zero point of a weight, expected none, or zeros: weights are symmetric here",
                          NameIn(source, name)));
}

/// Every tensor with an ending of a weight of few bits must be of one.
void RequireNoSurplus(const SafetensorsFile& file, const std::map<std::string, StoredWeight>& found,
                      const std::string& source) {
  const std::set<std::string_view> all = AllEndings();
  for (const NamedTensor& named : file.tensors) {
    for (const std::string_view ending : all) {
      const std::string stem = StemOf(named.name, ending);
      if (stem.empty()) continue;
      const auto weight = found.find(stem);
      if (weight == found.end()) {
        if (MayBeOfFloats(ending)) continue;
        throw Error(
            fmt::format("{}: there is no weight of few bits to which it belongs, expected {} in I8, F8_E4M3 "
                        "or U8",
                        NameIn(source, named.name), QuoteForMessage(stem + ".weight")));
      }
      const QuantizedForm& form = *weight->second.form;
      if (form.Has(ending)) continue;
      throw Error(fmt::format("{}: {} is of {} and {}, expected no such part of it", NameIn(source, named.name),
                              QuoteForMessage(stem + ".weight"), NameOf(form.kind), NameOf(form.form)));
    }
  }
}

}  // namespace

bool QuantizedForm::Has(std::string_view ending) const {
  return Contains(parts, ending) || Contains(scales, ending) || Contains(optional, ending);
}

const std::vector<QuantizedForm>& QuantizedForms() {
  static const std::vector<QuantizedForm> forms = MakeForms();
  return forms;
}

const QuantizedForm& QuantizedFormOf(LowBitKind kind, WeightForm form) {
  return *std::ranges::find_if(QuantizedForms(),
                               [&](const QuantizedForm& one) { return one.kind == kind && one.form == form; });
}

std::string_view ElementNameOf(LowBitKind kind) {
  if (kind == LowBitKind::kNvfp4) return "NVFP4";
  return InfoOf(QuantizedFormOf(kind, WeightForm::kDense).values).safetensors_name;
}

uint64_t DenseBytes(LowBitKind kind, uint64_t rows, uint64_t cols) {
  if (kind != LowBitKind::kNvfp4) return rows * (cols + sizeof(float));
  const uint64_t shape = cols % 2 == 0 ? 0 : 2 * sizeof(int64_t);
  return rows * (CeilDiv(cols, uint64_t{2}) + CeilDiv(cols, uint64_t{sparse::kLowBitSpanValues})) + sizeof(float) +
         shape;
}

Tensor StoredWeight::Part(std::string_view ending) const {
  const auto found = tensors.find(ending);
  return found == tensors.end() ? Tensor() : found->second;
}

uint64_t StoredWeight::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [ending, tensor] : tensors) bytes += static_cast<uint64_t>(tensor.numel()) * SizeOf(tensor.dtype());
  return bytes;
}

std::string StemOf(const std::string& name, std::string_view ending) {
  if (name.size() <= ending.size() || !name.ends_with(ending)) return "";
  return name.substr(0, name.size() - ending.size());
}

std::string NameIn(const std::string& source, const std::string& name) {
  return fmt::format("{}: tensor {}", source, QuoteForMessage(name));
}

void RequirePart(const std::string& source, const std::string& name, const Tensor& part, DType dtype,
                 const Shape& shape) {
  if (part.dtype() == dtype && part.shape() == shape) return;
  throw Error(fmt::format("{}: {}, expected {}", NameIn(source, name), Describe(part), Describe(dtype, shape)));
}

void RequireSizes(int64_t rows, int64_t cols, int64_t most_cols, const std::string& name) {
  if (rows >= 1 && cols >= 1 && cols <= most_cols) return;
  throw Error(
      fmt::format("{}: shape [{}, {}], expected at least one row, and 1 to {} columns", name, rows, cols, most_cols));
}

Tensor RowScales(const StoredWeight& weight, int64_t rows, const std::string& source, const std::string& name) {
  const std::string scales_name = name + std::string(kWeightScale);
  const Tensor stored = weight.Part(kWeightScale);
  const DType dtype = stored.dtype();
  const bool is_float = dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
  if (!is_float || (stored.shape() != Shape{rows} && stored.shape() != Shape{rows, 1})) {
    throw Error(fmt::format("{}: {}, expected {}, one for each row", NameIn(source, scales_name), Describe(stored),
                            Describe(DType::kF32, {rows})));
  }
  const Tensor wide = stored.To(DType::kF32);
  Tensor scales = Tensor::Empty({rows});
  std::copy_n(wide.data<float>(), rows, scales.mutable_data<float>());
  for (int64_t row = 0; row < rows; ++row) {
    const float scale = scales.data<float>()[row];
    if (scale > 0 && std::isfinite(scale * sparse::LargestNumber(weight.form->kind))) continue;
    throw Error(fmt::format("{}: {} for row {}, expected a number above 0 with which all values are finite",
                            NameIn(source, scales_name), scale, row));
  }
  return scales;
}

std::map<std::string, StoredWeight> FindStoredWeights(const SafetensorsFile& file, const std::string& source,
                                                      bool strict) {
  Tensors tensors;
  for (const NamedTensor& named : file.tensors) tensors.emplace(named.name, named.tensor);
  std::map<std::string, StoredWeight> found = FindValues(file, tensors, source, strict);
  for (auto& [stem, weight] : found) {
    const QuantizedForm& form = *weight.form;
    if (form.form != WeightForm::kDense) RequireNotDenseToo(file, tensors, source, stem, form.form);
    RequireSymmetric(file, tensors, source, stem);
    for (const Endings* const endings : {&form.parts, &form.scales, &form.optional, &form.foreign}) {
      for (const std::string_view ending : *endings) {
        const auto part = tensors.find(stem + std::string(ending));
        if (part != tensors.end()) {
          weight.tensors.emplace(ending, part->second);
        } else if (endings == &form.parts || endings == &form.scales) {
          throw Error(fmt::format("{} is {}, but {} is missing", NameIn(source, stem + ".weight"), NameOf(form.form),
                                  QuoteForMessage(stem + std::string(ending))));
        }
      }
    }
  }
  if (strict) RequireNoSurplus(file, found, source);
  return found;
}

std::string OwnerOf(const std::string& name, const std::map<std::string, StoredWeight>& weights) {
  // Names may contain several endings' dots, but the endings are all different, and each begins at a dot.
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    const auto weight = weights.find(name.substr(0, dot));
    if (dot > 0 && weight != weights.end() && weight->second.tensors.contains(std::string_view(name).substr(dot))) {
      return weight->first;
    }
  }
  return "";
}

}  // namespace twofour::train
