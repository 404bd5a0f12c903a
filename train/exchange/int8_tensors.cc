#include "twofour/train/exchange/int8_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/formats/packed_groups.h"
#include "twofour/sparse/formats/packed_vnm.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::train {
namespace {

using sparse::Mask;
using sparse::MaskFormat;

constexpr std::string_view kWeightScale = ".weight_scale", kInputScale = ".input_scale",
                           kInputZeroPoint = ".input_zero_point";
/// Files hold zero points as signed bytes, as compressed-tensors does.
constexpr int32_t kSignedToUnsigned = 128;

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

MaskedInt8Matrix OfGroups(const std::vector<Tensor>& parts, const std::string& name) {
  const sparse::PackedGroups packed{parts[0], parts[1], parts[2]};
  const sparse::GroupsReader reader(packed, name, sparse::StoredValues::kBytes);
  RequireSizes(reader.rows(), reader.cols(), sparse::kMostInt8Columns, name);
  const auto& [n, m] = reader.pattern();
  Entries entries(reader.rows(), reader.cols());
  const int8_t* from = parts[0].data<int8_t>();
  for (int64_t row = 0; row < reader.rows(); ++row) {
    for (int64_t i = 0; i < reader.values(); ++i, ++from) {
      const int64_t col = i / n * m + reader.PlaceOf(row, i);
      if (col < reader.cols()) entries.Put(row * reader.cols() + col, *from);
    }
  }
  MaskedInt8Matrix weight{.matrix = {entries.values, {}}, .mask = Mask::FromTensor(entries.kept), .format = {}};
  weight.format = weight.mask.format();  // It may be 2:4 both ways, for which there are faster kernels.
  if (weight.format.kind == MaskFormat::Kind::kUnstructured) {
    weight.format = MaskFormat::Rows(static_cast<int>(n), static_cast<int>(m));
  }
  return weight;
}

MaskedInt8Matrix OfVnm(const std::vector<Tensor>& parts, const std::string& name) {
  const sparse::PackedVnm packed{parts[0], parts[1], parts[2], parts[3]};
  const sparse::VnmReader reader(packed, name, sparse::StoredValues::kBytes);
  RequireSizes(reader.rows(), reader.cols(), sparse::kMostInt8Columns, name);
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
  MaskedInt8Matrix weight{.matrix = {entries.values, {}}, .mask = Mask::FromTensor(entries.kept), .format = {}};
  sparse::VnmPattern pattern = reader.pattern();
  pattern.inner = sparse::VnmInner::kTransposable;
  if (sparse::FindVnmViolation(weight.mask.view(), pattern)) pattern.inner = sparse::VnmInner::kRows;
  weight.format = MaskFormat::Vnm(pattern);
  return weight;
}

MaskedInt8Matrix OfDense(const std::vector<Tensor>& parts, const std::string& name) {
  const Tensor& values = parts.front();
  if (values.rank() != 2) throw Error(fmt::format("{}: {}, expected i8 [rows, cols]", name, Describe(values)));
  RequireSizes(values.dim(0), values.dim(1), sparse::kMostInt8Columns, name);
  return {.matrix = {values, {}},
          .mask = Mask::FromTensor(Tensor::Full(values.shape(), 1, DType::kBool)),
          .format = MaskFormat::Dense()};
}

/// The range of all inputs, if the file has one.
std::optional<sparse::Int8Range> RangeOf(const StoredWeight& stored, const std::string& source,
                                         const std::string& stem) {
  const Tensor scale = stored.Part(kInputScale), zero_point = stored.Part(kInputZeroPoint);
  if (!scale.defined() && !zero_point.defined()) return std::nullopt;
  if (!scale.defined() || !zero_point.defined()) {
    const std::string_view missing = scale.defined() ? kInputZeroPoint : kInputScale;
    throw Error(fmt::format("{}: one of the two that are a range of inputs is there, but {} is missing",
                            NameIn(source, stem + ".weight"), QuoteForMessage(stem + std::string(missing))));
  }
  RequirePart(source, stem + std::string(kInputScale), scale, DType::kF32, {1});
  RequirePart(source, stem + std::string(kInputZeroPoint), zero_point, DType::kI8, {1});
  const float value = *scale.data<float>();
  if (!std::isfinite(value) || value <= 0) {
    throw Error(fmt::format("{}: {}, expected a finite number above 0", NameIn(source, stem + std::string(kInputScale)),
                            value));
  }
  return sparse::Int8Range{value, *zero_point.data<int8_t>() + kSignedToUnsigned};
}

/// With a number other than 0 wherever the mask keeps, so that packing finds those entries: kMark where the byte is 0.
Tensor Marked(const MaskedInt8Matrix& weight) {
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

}  // namespace

void AppendInt8Tensors(const std::string& name, const MaskedInt8Matrix& weight, std::vector<NamedTensor>& out) {
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
  const QuantizedForm& names = QuantizedFormOf(sparse::LowBitKind::kInt8, form);
  for (size_t i = 0; i < parts.size(); ++i) out.push_back({name + std::string(names.parts[i]), parts[i]});
  out.push_back({name + std::string(kWeightScale), weight.matrix.scales});
  if (!weight.activation) return;
  const auto zero_point = static_cast<int8_t>(weight.activation->zero_point - kSignedToUnsigned);
  out.push_back({name + std::string(kInputScale), Tensor::FromVector<float>({weight.activation->scale}, {1})});
  out.push_back({name + std::string(kInputZeroPoint), Tensor::FromVector<int8_t>({zero_point}, {1})});
}

MaskedInt8Matrix ReadInt8Tensors(const StoredWeight& stored, const std::string& source, const std::string& name) {
  const std::string in_file = NameIn(source, name + ".weight");
  std::vector<Tensor> parts;
  for (const std::string_view ending : stored.form->parts) parts.push_back(stored.Part(ending));
  const auto read = stored.form->form == WeightForm::kPacked      ? OfGroups
                    : stored.form->form == WeightForm::kPackedVnm ? OfVnm
                                                                  : OfDense;
  MaskedInt8Matrix weight = read(parts, in_file);
  weight.matrix.scales = RowScales(stored, weight.matrix.values.dim(0), source, name);
  sparse::RequireInt8Matrix(weight.matrix, in_file);
  weight.activation = RangeOf(stored, source, name);
  return weight;
}

}  // namespace twofour::train
