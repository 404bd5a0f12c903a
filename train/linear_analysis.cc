#include "twofour/train/linear_analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/inference_packing.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;

/// Bytes of packed weights. Layers of one shape share them, and each costs a packing.
class PackedSizes {
 public:
  size_t Of(const LinearAnalysis& linear, const MaskFormat& format) {
    const auto key = std::tuple(linear.out_features(), linear.in_features(), linear.values, format.kind, format.n,
                                format.m, format.v);
    const auto known = sizes_.find(key);
    if (known != sizes_.end()) return known->second;
    return sizes_[key] = sparse::InferenceBytes(linear.out_features(), linear.in_features(), format, linear.values);
  }

 private:
  std::map<std::tuple<int64_t, int64_t, DType, MaskFormat::Kind, int, int, int>, size_t> sizes_;
};

std::vector<PackedChoice> FormsOf(const LinearAnalysis& linear, PackedSizes& sizes) {
  std::vector<PackedChoice> forms;
  size_t most = linear.dense_bytes();
  const auto add = [&](const MaskFormat& format) {
    const size_t bytes = sizes.Of(linear, format);
    if (bytes >= most) return;
    forms.push_back({format, bytes});
    // 2:4 has the fastest products, so a form along rows that does not save bytes against it is of no use.
    if (format == MaskFormat::Rows(2, 4)) most = bytes;
  };
  for (const sparse::GroupPattern& pattern : linear.tensor.along_rows) {  // Those of the smallest m come first.
    add(MaskFormat::Rows(static_cast<int>(std::max<int64_t>(pattern.n, 1)), static_cast<int>(pattern.m)));
  }
  if (linear.vnm) add(MaskFormat::Vnm(*linear.vnm));
  std::ranges::stable_sort(forms, {}, &PackedChoice::bytes);
  return forms;
}

bool IsMatrix(const TensorInspection& tensor) {
  return tensor.sparsity && tensor.shape.size() == 2 && tensor.shape[0] > 0 && tensor.shape[1] > 0;
}

bool IsNamedWeight(const std::string& name) { return name == "weight" || name.ends_with(".weight"); }

}  // namespace

bool NamesEmbedding(const std::string& name) {
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    if (part == "wte" || part == "wpe" || part.find("embed") != std::string_view::npos) return true;
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  return false;
}

FileAnalysis AnalyzeLinears(SafetensorsFile file, const std::string& source) {
  std::map<std::string, LinearAnalysis> matrices;
  FileInspection inspection =
      InspectTensors(std::move(file), source, [&](const TensorInspection& tensor, const Tensor& nonzero) {
        if (!IsMatrix(tensor) || NamesEmbedding(tensor.name)) return;
        matrices[tensor.name] = {
            .tensor = {}, .vnm = sparse::FindVnmPattern(nonzero), .blocks = sparse::FindZeroBlocks(nonzero)};
      });
  FileAnalysis analysis{.linears = {}, .not_unpacked = std::move(inspection.not_unpacked)};
  const bool names_tell = std::ranges::any_of(matrices, [](const auto& matrix) { return IsNamedWeight(matrix.first); });
  PackedSizes sizes;
  for (TensorInspection& tensor : inspection.tensors) {
    const auto matrix = matrices.find(tensor.name);
    if (matrix == matrices.end() || (names_tell && !IsNamedWeight(tensor.name))) {
      ++analysis.left_out;
      continue;
    }
    if (tensor.not_finite > 0) {
      throw Error(fmt::format("{}: tensor {}: {} of its values are NaN or infinite, expected finite weights", source,
                              QuoteForMessage(tensor.name), tensor.not_finite));
    }
    LinearAnalysis linear = std::move(matrix->second);
    linear.tensor = std::move(tensor);
    const TensorInspection& found = linear.tensor;
    linear.transposable =
        !found.along_rows.empty() && !found.along_columns.empty() && !found.first_in_rows && !found.first_in_columns;
    if (found.dtype == InfoOf(DType::kBF16).safetensors_name) linear.values = DType::kBF16;
    linear.forms = FormsOf(linear, sizes);
    analysis.linears.push_back(std::move(linear));
  }
  if (!analysis.linears.empty()) return analysis;
  throw Error(
      fmt::format("{}: holds no weights of linears, expected matrices of floating numbers, named *.weight", source));
}

}  // namespace twofour::train
