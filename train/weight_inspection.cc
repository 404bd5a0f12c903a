#include "twofour/train/weight_inspection.h"

#include <cmath>
#include <map>
#include <set>

#include "twofour/core/dtype.h"
#include "twofour/core/error.h"
#include "twofour/train/exchange/quantized_forms.h"

namespace twofour::train {
namespace {

/// Whether the elements are floating numbers, which are looked at.
bool HasNumbers(const Tensor& tensor) { return IsFloating(tensor.dtype()) || IsFloat8(tensor.dtype()); }

/// The mask of a weight among the file's tensors, or null.
const Tensor* MaskOf(const SafetensorsFile& file, const NamedTensor& weight) {
  const Tensor* const mask = file.Find(weight.name + "_mask");
  if (mask == nullptr || mask->dtype() != DType::kBool || mask->shape() != weight.tensor.shape()) return nullptr;
  return HasNumbers(weight.tensor) ? mask : nullptr;
}

/// Fills in what the elements say. `mask` may be null, and `look` empty.
void LookAtElements(const Tensor& tensor, const Tensor* mask,
                    const std::function<void(const TensorInspection&, const Tensor&)>& look, TensorInspection& found) {
  const int64_t elements = tensor.numel();
  // 1 where the element counts as non-zero, because a tiny double must not become zero by a conversion.
  Tensor nonzero = Tensor::Zeros(tensor.shape(), DType::kF32);
  int64_t zeros = 0;
  DispatchFloating(tensor.dtype(), "inspect", [&](auto zero) {
    using T = decltype(zero);
    const T* const x = tensor.data<T>();
    const bool* const keep = mask == nullptr ? nullptr : mask->data<bool>();
    float* const flags = nonzero.mutable_data<float>();
    for (int64_t i = 0; i < elements; ++i) {
      const double value = static_cast<ComputeType<T>>(x[i]);
      found.not_finite += !std::isfinite(value);
      const bool counts = value != 0 && (keep == nullptr || keep[i]);
      flags[i] = counts ? 1.0f : 0.0f;
      zeros += !counts;
    }
  });
  found.sparsity = elements == 0 ? 0.0 : static_cast<double>(zeros) / static_cast<double>(elements);
  if (tensor.rank() != 2) return;
  using sparse::PatternAxis;
  found.along_rows = sparse::FindGroupPatterns(nonzero, PatternAxis::kRows);
  found.along_columns = sparse::FindGroupPatterns(nonzero, PatternAxis::kColumns);
  found.first_in_rows = sparse::FindPatternViolation(nonzero, PatternAxis::kRows);
  found.first_in_columns = sparse::FindPatternViolation(nonzero, PatternAxis::kColumns);
  if (look) look(found, nonzero);
}

}  // namespace

FileInspection InspectTensors(SafetensorsFile file, const std::string& source,
                              const std::function<void(const TensorInspection&, const Tensor& nonzero)>& look) {
  FileInspection inspection;
  std::map<std::string, PackedWeightInfo> packed;
  try {
    packed = UnpackTensors(file, source);
  } catch (const Error& error) {  // Other programs have parts of such names that mean something else.
    inspection.not_unpacked = error.what();
  }
  std::set<std::string> masks;
  for (const NamedTensor& entry : file.tensors) {
    if (MaskOf(file, entry) != nullptr) masks.insert(entry.name + "_mask");
  }
  std::vector<TensorInspection>& inspections = inspection.tensors;
  for (const NamedTensor& entry : file.tensors) {
    if (masks.contains(entry.name)) continue;
    TensorInspection found{.name = entry.name,
                           .dtype = std::string(InfoOf(entry.tensor.dtype()).safetensors_name),
                           .shape = {entry.tensor.shape().begin(), entry.tensor.shape().end()}};
    if (const auto info = packed.find(entry.name); info != packed.end()) {
      found.packed = info->second;
      if (info->second.kind) found.dtype = ElementNameOf(*info->second.kind);
    }
    const Tensor* const mask = MaskOf(file, entry);
    found.masked = mask != nullptr;
    if (HasNumbers(entry.tensor)) {
      const bool widen = IsFloat8(entry.tensor.dtype());  // Without loss.
      LookAtElements(widen ? entry.tensor.To(DType::kF32) : entry.tensor, mask, look, found);
    }
    inspections.push_back(std::move(found));
  }
  for (const SkippedTensor& skipped : file.skipped) {
    inspections.push_back({.name = skipped.name, .dtype = skipped.dtype, .shape = skipped.shape});
  }
  return inspection;
}

}  // namespace twofour::train
