#include "twofour/train/program/cli/inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/train/data/text.h"
#include "twofour/train/exchange/quantized_forms.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/named_weights.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/weight_inspection.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// A weight with fewer zeros is dense: it is no news that it is not 2:4.
constexpr double kSparse = 0.25;

struct Request {
  std::string path;
  bool json = false;
};

/// "2:4 and 3:8 along rows; 2:4 along columns", or why a sparse matrix is not 2:4.
std::string DescribePatterns(const TensorInspection& tensor) {
  std::vector<std::string> parts;
  const auto add = [&](const std::vector<sparse::GroupPattern>& patterns, const char* where) {
    std::vector<std::string> names;
    for (const sparse::GroupPattern& pattern : patterns) names.push_back(pattern.ToString());
    if (!names.empty()) parts.push_back(fmt::format("{} along {}", fmt::join(names, " and "), where));
  };
  if (tensor.along_rows == tensor.along_columns) {
    add(tensor.along_rows, "rows and columns");
  } else {
    add(tensor.along_rows, "rows");
    add(tensor.along_columns, "columns");
  }
  if (*tensor.sparsity >= kSparse) {
    if (tensor.first_in_rows) parts.push_back("not 2:4 along rows: " + tensor.first_in_rows->ToString());
    if (tensor.first_in_columns) parts.push_back("not 2:4 along columns: " + tensor.first_in_columns->ToString());
  }
  if (tensor.not_finite > 0) parts.push_back(fmt::format("{} not finite", tensor.not_finite));
  return fmt::format("{}", fmt::join(parts, "; "));
}

/// The bytes of a packed weight's parts, as a share of those of a dense one of its kind.
double ShareOfDense(const TensorInspection& tensor) {
  double dense = 0;
  if (tensor.packed->kind) {
    dense = static_cast<double>(DenseBytes(*tensor.packed->kind, tensor.shape.at(0), tensor.shape.at(1)));
  } else {
    for (const DTypeInfo& info : kDTypes) {
      if (info.safetensors_name == tensor.dtype) dense = static_cast<double>(info.bytes);
    }
    for (const uint64_t size : tensor.shape) dense *= static_cast<double>(size);
  }
  return dense == 0 ? 1 : static_cast<double>(tensor.packed->bytes) / dense;
}

/// " (mask)", " (packed-vnm 64:2:8, 0.285 of its dense bytes)", " (dense, with scales)" or nothing.
std::string DescribeForm(const TensorInspection& tensor) {
  if (tensor.masked) return " (mask)";
  if (!tensor.packed) return "";
  if (tensor.packed->form == WeightForm::kDense) return fmt::format(" ({}, with scales)", NameOf(WeightForm::kDense));
  return fmt::format(" ({} {}, {:.3f} of its dense bytes)", NameOf(tensor.packed->form), tensor.packed->pattern,
                     ShareOfDense(tensor));
}

std::string ToLines(const fs::path& path, const std::vector<TensorInspection>& tensors) {
  size_t name_width = 0, dtype_width = 0, shape_width = 0;
  std::vector<std::string> names, shapes;
  for (const TensorInspection& tensor : tensors) {
    names.push_back(Quoted(tensor.name));
    shapes.push_back(fmt::format("[{}]", fmt::join(tensor.shape, ", ")));
    name_width = std::max(name_width, names.back().size());
    dtype_width = std::max(dtype_width, tensor.dtype.size());
    shape_width = std::max(shape_width, shapes.back().size());
  }
  const int64_t masks = std::ranges::count(tensors, true, &TensorInspection::masked);
  std::string lines = fmt::format("{}: {} tensors{}\n", path.string(), tensors.size(),
                                  masks > 0 ? fmt::format(", {} with a mask", masks) : "");
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorInspection& tensor = tensors[i];
    std::string line =
        fmt::format("  {:{}}  {:{}}  {:{}}", names[i], name_width, tensor.dtype, dtype_width, shapes[i], shape_width);
    if (tensor.sparsity) {
      line += fmt::format("  sparsity {:.4f}{}  {}", *tensor.sparsity, DescribeForm(tensor), DescribePatterns(tensor));
    }
    lines += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return lines;
}

JsonObject ToJson(const TensorInspection& tensor) {
  JsonObject line;
  line.Set("name", tensor.name).Set("dtype", tensor.dtype);
  line.Set("shape", std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end()));
  if (!tensor.sparsity) return line;
  if (tensor.packed) {
    line.Set("form", NameOf(tensor.packed->form)).Set("pattern", tensor.packed->pattern);
    line.Set("share_of_dense_bytes", ShareOfDense(tensor));
  }
  line.Set("sparsity", *tensor.sparsity).Set("masked", tensor.masked).Set("not_finite", tensor.not_finite);
  if (tensor.shape.size() != 2) return line;
  const auto add = [&line](const std::string& axis, const std::vector<sparse::GroupPattern>& patterns,
                           const std::optional<sparse::PatternViolation>& violation) {
    std::vector<std::string> names;
    for (const sparse::GroupPattern& pattern : patterns) names.push_back(pattern.ToString());
    line.Set("along_" + axis, names);
    if (violation) line.Set("not_2_4_along_" + axis, violation->ToString());
  };
  add("rows", tensor.along_rows, tensor.first_in_rows);
  add("columns", tensor.along_columns, tensor.first_in_columns);
  return line;
}

}  // namespace

int RunInspect(int argc, const char* const* argv, const CommandContext& context) {
  Request request;
  Arguments arguments("inspect");
  arguments
      .Add("PATH", request.path,
           "A safetensors file or an index of shards; or a run's folder, a checkpoint or another folder with weights")
      .Required();
  arguments.AddFlag("--json", request.json, "Print a JSON object for each tensor, one in a line");
  if (!arguments.Parse(argc, argv, 1, context.out)) return 0;
  NamedWeights weights = LoadNamedWeights(FileSystem::Default(), "inspect", request.path);
  const auto [tensors, not_unpacked] = InspectTensors(std::move(weights.file), weights.path.string());
  if (!not_unpacked.empty()) context.err << fmt::format("note: packed weights are listed in parts: {}\n", not_unpacked);
  if (request.json) {
    for (const TensorInspection& tensor : tensors) context.out << ToJson(tensor).ToTextReplacing() << "\n";
  } else {
    context.out << ToLines(weights.path, tensors);
  }
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
