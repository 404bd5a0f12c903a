#include "twofour/train/exchange/quantized_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string_view>
#include <tuple>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/formats/packed_groups.h"
#include "twofour/sparse/formats/packed_vnm.h"
#include "twofour/sparse/row_packed_weight.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::train {
namespace {

using sparse::Mask;
using sparse::MaskFormat;

constexpr std::string_view kWeightScale = ".weight_scale", kInputScale = ".input_scale",
                           kInputZeroPoint = ".input_zero_point";
/// Files hold zero points as signed bytes, as compressed-tensors does.
constexpr int32_t kSignedToUnsigned = 128;

/// The forms that values of 8 bits may have, and the names of their parts: first that of the values.
struct Form {
  WeightForm form;
  std::vector<std::string_view> endings;
};
const std::array<Form, 3>& Forms() {
  static const std::array<Form, 3> forms = {
      {{WeightForm::kDense, {".weight"}},
       {WeightForm::kPacked, {".weight_values", ".weight_positions", ".weight_pattern"}},
       {WeightForm::kPackedVnm,
        {".weight_vnm_values", ".weight_vnm_positions", ".weight_vnm_columns", ".weight_vnm_pattern"}}}};
  return forms;
}

/// X, if the name is X followed by `ending`; else nothing.
std::string StemOf(const std::string& name, std::string_view ending) {
  if (name.size() <= ending.size() || !name.ends_with(ending)) return "";
  return name.substr(0, name.size() - ending.size());
}

std::string NameIn(const std::string& source, const std::string& name) {
  return fmt::format("{}: tensor {}", source, QuoteForMessage(name));
}

/// The weight and its scales, or what they are called in messages.
struct Parts {
  const Form* form;
  std::vector<Tensor> tensors;  ///< In the order of the form's endings.
  Tensor scale, input_scale, input_zero_point;
};

/// The tensors of a file by their names, as long as it is not changed.
std::map<std::string, Tensor> ByName(const SafetensorsFile& file) {
  std::map<std::string, Tensor> tensors;
  for (const NamedTensor& named : file.tensors) tensors.emplace(named.name, named.tensor);
  return tensors;
}

/// Finds weights of 8 bits by their X. `strict`: every one must have a scale, and every scale a weight.
std::map<std::string, Parts> FindParts(const SafetensorsFile& file, const std::string& source, bool strict) {
  const std::map<std::string, Tensor> tensors = ByName(file);
  const auto find = [&tensors](const std::string& name) {
    const auto found = tensors.find(name);
    return found == tensors.end() ? Tensor() : found->second;
  };
  std::map<std::string, Parts> found;
  for (const NamedTensor& named : file.tensors) {
    if (named.tensor.dtype() != DType::kI8) continue;
    for (const Form& form : Forms()) {
      const std::string stem = StemOf(named.name, form.endings.front());
      if (stem.empty()) continue;
      const std::string scale = stem + std::string(kWeightScale);
      const bool has_scale = tensors.contains(scale);
      if (!has_scale && strict) {
        throw Error(
            fmt::format("{}: is of 8 bits, but {} is missing", NameIn(source, named.name), QuoteForMessage(scale)));
      }
      if (!has_scale) continue;
      const auto [other, is_first] = found.try_emplace(stem, Parts{&form, {}, {}, {}, {}});
      if (!is_first) {
        throw Error(fmt::format("{}: is there both {} and {}", NameIn(source, stem + ".weight"),
                                NameOf(other->second.form->form), NameOf(form.form)));
      }
    }
  }
  for (auto& [stem, parts] : found) {
    if (parts.form->form != WeightForm::kDense) {
      const std::string dense = stem + ".weight";
      const bool skipped = std::ranges::find(file.skipped, dense, &SkippedTensor::name) != file.skipped.end();
      if (skipped || tensors.contains(dense)) {
        throw Error(fmt::format("{}: is there both dense and {}", NameIn(source, dense), NameOf(parts.form->form)));
      }
    }
    for (const std::string_view ending : parts.form->endings) {
      const std::string name = stem + std::string(ending);
      if (!tensors.contains(name)) {
        throw Error(fmt::format("{} is {}, but {} is missing", NameIn(source, stem + ".weight"),
                                NameOf(parts.form->form), QuoteForMessage(name)));
      }
      parts.tensors.push_back(find(name));
    }
    parts.scale = find(stem + std::string(kWeightScale));
    parts.input_scale = find(stem + std::string(kInputScale));
    parts.input_zero_point = find(stem + std::string(kInputZeroPoint));
    if (parts.input_scale.defined() == parts.input_zero_point.defined()) continue;
    const std::string_view missing = parts.input_scale.defined() ? kInputZeroPoint : kInputScale;
    throw Error(fmt::format("{}: one of the two that are a range of inputs is there, but {} is missing",
                            NameIn(source, stem + ".weight"), QuoteForMessage(stem + std::string(missing))));
  }
  if (!strict) return found;
  for (const NamedTensor& named : file.tensors) {
    for (const std::string_view ending : {kWeightScale, kInputScale, kInputZeroPoint}) {
      const std::string stem = StemOf(named.name, ending);
      if (stem.empty() || found.contains(stem)) continue;
      throw Error(fmt::format("{}: there is no weight of 8 bits to which it belongs, expected {} in I8",
                              NameIn(source, named.name), QuoteForMessage(stem + ".weight")));
    }
  }
  return found;
}

/// Entries [rows, cols] as they are put in one by one: bytes, and which are kept.
struct Entries {
  Tensor values, kept;
  Entries(int64_t rows, int64_t cols)
      : values(Tensor::Zeros({rows, cols}, DType::kI8)), kept(Tensor::Zeros({rows, cols}, DType::kBool)) {}
  void Put(int64_t at, int8_t value) {
    values.mutable_data<int8_t>()[at] = value;
    kept.mutable_data<bool>()[at] = true;
  }
};

/// Throws Error unless a matrix of these sizes may be a weight of 8 bits.
void RequireSizes(int64_t rows, int64_t cols, const std::string& name) {
  if (rows >= 1 && cols >= 1 && cols <= sparse::kMostInt8Columns) return;
  throw Error(fmt::format("{}: shape [{}, {}], expected at least one row, and 1 to {} columns", name, rows, cols,
                          sparse::kMostInt8Columns));
}

QuantizedWeight OfGroups(const std::vector<Tensor>& parts, const std::string& name) {
  // The reader takes floating numbers, which hold bytes as they are.
  const sparse::PackedGroups packed{parts[0].To(DType::kF32), parts[1], parts[2]};
  const sparse::GroupsReader reader(packed, name);
  RequireSizes(reader.rows(), reader.cols(), name);
  const auto& [n, m] = reader.pattern();
  Entries entries(reader.rows(), reader.cols());
  const int8_t* from = parts[0].data<int8_t>();
  for (int64_t row = 0; row < reader.rows(); ++row) {
    for (int64_t i = 0; i < reader.values(); ++i, ++from) {
      const int64_t col = i / n * m + reader.PlaceOf(row, i);
      if (col < reader.cols()) entries.Put(row * reader.cols() + col, *from);
    }
  }
  QuantizedWeight weight{.matrix = {entries.values, {}}, .mask = Mask::FromTensor(entries.kept), .format = {}};
  weight.format = weight.mask.format();  // It may be 2:4 both ways, for which there are faster kernels.
  if (weight.format.kind == MaskFormat::Kind::kUnstructured) {
    weight.format = MaskFormat::Rows(static_cast<int>(n), static_cast<int>(m));
  }
  return weight;
}

QuantizedWeight OfVnm(const std::vector<Tensor>& parts, const std::string& name) {
  const sparse::PackedVnm packed{parts[0].To(DType::kF32), parts[1], parts[2], parts[3]};
  const sparse::VnmReader reader(packed, name);
  RequireSizes(reader.rows(), reader.cols(), name);
  Entries entries(reader.rows(), reader.cols());
  const int8_t* from = parts[0].data<int8_t>();
  for (int64_t row = 0; row < reader.rows(); ++row) {
    for (int64_t group = 0; group < reader.groups(); ++group) {
      for (int64_t which = 0; which < 2; ++which, ++from) {
        const int64_t col = reader.ColumnAt(row / reader.pattern().v, group, reader.PositionAt(row, group, which));
        if (col < reader.cols()) entries.Put(row * reader.cols() + col, *from);
      }
    }
  }
  QuantizedWeight weight{.matrix = {entries.values, {}}, .mask = Mask::FromTensor(entries.kept), .format = {}};
  sparse::VnmPattern pattern = reader.pattern();
  pattern.inner = sparse::VnmInner::kTransposable;
  if (sparse::FindVnmViolation(weight.mask.view(), pattern)) pattern.inner = sparse::VnmInner::kRows;
  weight.format = MaskFormat::Vnm(pattern);
  return weight;
}

QuantizedWeight OfDense(const std::vector<Tensor>& parts, const std::string& name) {
  const Tensor& values = parts.front();
  if (values.rank() != 2) throw Error(fmt::format("{}: {}, expected i8 [rows, cols]", name, Describe(values)));
  RequireSizes(values.dim(0), values.dim(1), name);
  return {.matrix = {values, {}},
          .mask = Mask::FromTensor(Tensor::Full(values.shape(), 1, DType::kBool)),
          .format = MaskFormat::Dense()};
}

std::optional<sparse::Int8Range> RangeOf(const Parts& parts, const std::string& source, const std::string& stem) {
  const auto& [scale, zero_point] = std::tie(parts.input_scale, parts.input_zero_point);
  if (!scale.defined()) return std::nullopt;
  if (scale.dtype() != DType::kF32 || scale.shape() != Shape{1}) {
    throw Error(
        fmt::format("{}: {}, expected f32 [1]", NameIn(source, stem + std::string(kInputScale)), Describe(scale)));
  }
  if (zero_point.dtype() != DType::kI8 || zero_point.shape() != Shape{1}) {
    throw Error(fmt::format("{}: {}, expected i8 [1]", NameIn(source, stem + std::string(kInputZeroPoint)),
                            Describe(zero_point)));
  }
  const float value = *scale.data<float>();
  if (!std::isfinite(value) || value <= 0) {
    throw Error(fmt::format("{}: {}, expected a finite number above 0", NameIn(source, stem + std::string(kInputScale)),
                            value));
  }
  return sparse::Int8Range{value, *zero_point.data<int8_t>() + kSignedToUnsigned};
}

QuantizedWeight Read(const Parts& parts, const std::string& source, const std::string& stem) {
  const std::string name = NameIn(source, stem + ".weight");
  const auto read = parts.form->form == WeightForm::kPacked      ? OfGroups
                    : parts.form->form == WeightForm::kPackedVnm ? OfVnm
                                                                 : OfDense;
  QuantizedWeight weight = read(parts.tensors, name);
  weight.matrix.scales = parts.scale;
  sparse::RequireInt8Matrix(weight.matrix, name);
  weight.activation = RangeOf(parts, source, stem);
  return weight;
}

/// The stem of a tensor that belongs to one of these weights, or nothing.
std::string OwnerOf(const std::string& name, const std::map<std::string, Parts>& parts) {
  const auto owner = [&](std::string_view ending) {
    const std::string stem = StemOf(name, ending);
    return !stem.empty() && parts.contains(stem) ? stem : std::string();
  };
  for (const std::string_view ending : {kWeightScale, kInputScale, kInputZeroPoint}) {
    if (const std::string stem = owner(ending); !stem.empty()) return stem;
  }
  for (const Form& form : Forms()) {
    for (const std::string_view ending : form.endings) {
      const std::string stem = owner(ending);
      if (!stem.empty() && parts.at(stem).form == &form) return stem;
    }
  }
  return "";
}

uint64_t BytesOf(const Tensor& tensor) {
  return tensor.defined() ? static_cast<uint64_t>(tensor.numel()) * SizeOf(tensor.dtype()) : 0;
}

/// With a number other than 0 wherever the mask keeps, so that packing finds those entries: kMark where the byte is 0.
Tensor Marked(const QuantizedWeight& weight) {
  constexpr float kMark = 0.5F;
  Tensor marked = weight.matrix.values.To(DType::kF32);
  float* const numbers = marked.mutable_data<float>();
  const Tensor kept = weight.mask.ToTensor();
  for (int64_t i = 0; i < marked.numel(); ++i) {
    if (numbers[i] == 0 && kept.data<bool>()[i]) numbers[i] = kMark;
  }
  return marked;
}

/// The values that were packed as bytes: marks become 0.
Tensor AsBytes(const Tensor& values) {
  Tensor bytes = Tensor::Empty(values.shape(), DType::kI8);
  std::transform(values.data<float>(), values.data<float>() + values.numel(), bytes.mutable_data<int8_t>(),
                 [](float value) { return static_cast<int8_t>(value); });
  return bytes;
}

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

}  // namespace

QuantizedWeight Quantize(const Tensor& weight, const Mask& mask, const MaskFormat& format, const std::string& name) {
  return {.matrix = sparse::QuantizeRows(sparse::ApplyMask(weight, mask), name),
          .mask = mask,
          .format = Fits(mask, format) ? format : MaskFormat::Unstructured()};
}

Tensor Dequantize(const QuantizedWeight& weight) {
  Tensor numbers = weight.matrix.values.To(DType::kF32);
  float* to = numbers.mutable_data<float>();
  for (int64_t row = 0; row < numbers.dim(0); ++row) {
    const float scale = weight.matrix.scales.data<float>()[row];
    for (int64_t col = 0; col < numbers.dim(1); ++col, ++to) *to = *to == 0 ? 0 : scale * *to;
  }
  return numbers;
}

WeightForm FormOf(const QuantizedWeight& weight) {
  const MaskFormat& format = weight.format;
  if (format.is_vnm()) return WeightForm::kPackedVnm;
  if (!IsRows(format) || format.m > sparse::RowPackedWeight::kMostNeighbours) return WeightForm::kDense;
  // A value takes 8 bits and its place a few.
  const int bits = std::bit_width(static_cast<unsigned>(format.m - 1));
  return format.n * (8 + bits) < format.m * 8 ? WeightForm::kPacked : WeightForm::kDense;
}

void AppendQuantizedWeight(const std::string& name, const QuantizedWeight& weight, std::vector<NamedTensor>& out) {
  const std::string in_message = fmt::format("tensor '{}.weight'", name);
  const WeightForm form = FormOf(weight);
  std::vector<Tensor> parts = {weight.matrix.values};
  if (form == WeightForm::kPacked) {
    auto [values, positions, pattern] =
        sparse::PackGroups(Marked(weight), {weight.format.n, weight.format.m}, in_message);
    parts = {AsBytes(values), positions, pattern};
  } else if (form == WeightForm::kPackedVnm) {
    auto [values, positions, columns, pattern] = sparse::PackVnm(Marked(weight), weight.format.vnm(), in_message);
    parts = {AsBytes(values), positions, columns, pattern};
  }
  const auto names = std::ranges::find(Forms(), form, &Form::form);
  for (size_t i = 0; i < parts.size(); ++i) out.push_back({name + std::string(names->endings[i]), parts[i]});
  out.push_back({name + std::string(kWeightScale), weight.matrix.scales});
  if (!weight.activation) return;
  const auto zero_point = static_cast<int8_t>(weight.activation->zero_point - kSignedToUnsigned);
  out.push_back({name + std::string(kInputScale), Tensor::FromVector<float>({weight.activation->scale}, {1})});
  out.push_back({name + std::string(kInputZeroPoint), Tensor::FromVector<int8_t>({zero_point}, {1})});
}

std::vector<QuantizedLinear> TakeQuantizedLinears(SafetensorsFile& file, const std::string& source) {
  std::map<std::string, Parts> found = FindParts(file, source, /*strict=*/true);
  std::vector<QuantizedLinear> linears;
  for (auto& [stem, parts] : found) {
    linears.push_back({.name = stem, .weight = Read(parts, source, stem)});
    parts.tensors.clear();  // A large model should not be in memory twice.
  }
  std::erase_if(file.tensors, [&](const NamedTensor& named) {
    const std::string stem = StemOf(named.name, ".bias");
    if (stem.empty() || !found.contains(stem)) return !OwnerOf(named.name, found).empty();
    std::ranges::find(linears, stem, &QuantizedLinear::name)->bias = named.tensor;
    return true;
  });
  return linears;
}

void RequireNoQuantizedWeights(const SafetensorsFile& file, const std::string& source) {
  for (const NamedTensor& named : file.tensors) {
    if (named.tensor.dtype() != DType::kI8) continue;
    for (const Form& form : Forms()) {
      const std::string stem = StemOf(named.name, form.endings.front());
      if (stem.empty() || file.Find(stem + std::string(kWeightScale)) == nullptr) continue;
      throw Error(fmt::format("{}: is of a weight of 8 bits, as only runs of trainer quantize have; expected floats",
                              NameIn(source, named.name)));
    }
  }
}

std::map<std::string, PackedWeightInfo> DequantizeTensors(SafetensorsFile& file, const std::string& source) {
  const std::map<std::string, Parts> found = FindParts(file, source, /*strict=*/false);
  if (found.empty()) return {};
  std::map<std::string, PackedWeightInfo> infos;
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& named : file.tensors) {
    const std::string stem = OwnerOf(named.name, found);
    const std::string name = stem + ".weight";
    if (stem.empty()) {
      tensors.push_back(named);
    } else if (!infos.contains(name)) {  // The first part stands for the weight's place in the file.
      const Parts& parts = found.at(stem);
      const QuantizedWeight weight = Read(parts, source, stem);
      tensors.push_back({name, Dequantize(weight)});
      PackedWeightInfo info{.form = parts.form->form, .pattern = weight.format.Ratio(), .int8 = true};
      for (const Tensor& part : parts.tensors) info.bytes += BytesOf(part);
      info.bytes += BytesOf(parts.scale) + BytesOf(parts.input_scale) + BytesOf(parts.input_zero_point);
      infos.emplace(name, info);
    }
  }
  file.tensors = std::move(tensors);
  return infos;
}

}  // namespace twofour::train
