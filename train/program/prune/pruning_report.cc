#include "twofour/train/program/prune/pruning_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/prune/aligned_columns.h"
#include "twofour/train/program/prune/pruning_message.h"

namespace twofour::train {
namespace {

/// A number that JSON can hold, or nothing.
void SetIfFinite(JsonObject& json, std::string_view name, const std::optional<double>& value) {
  if (value && std::isfinite(*value)) json.Set(name, *value);
}

std::string Text(const std::optional<double>& value) { return value ? fmt::format("{:.4f}", *value) : "-"; }

JsonObject ToJson(const nn::PrunedLinear& linear) {
  JsonObject json;
  json.Set("name", linear.name).Set("out_features", linear.out_features).Set("in_features", linear.in_features);
  json.Set("pattern", linear.pattern.ToString()).Set("sparsity", linear.sparsity).Set("zeros", linear.zeros);
  json.Set("retained", linear.retained);
  SetIfFinite(json, "output_error", linear.output_error);
  return json;
}

/// The share of all linears' weights that are counted so of those that were pruned.
double ShareOf(const PrunedRun& pruned, const std::function<int64_t(const nn::PrunedLinear&)>& count) {
  int64_t counted = 0, all = 0;
  for (const nn::PrunedLinear& linear : pruned.report.pruned) {
    counted += count(linear);
    all += linear.out_features * linear.in_features;
  }
  for (const nn::SwapEntry& linear : pruned.left_dense) all += linear.out_features * linear.in_features;
  return all == 0 ? 0 : static_cast<double>(counted) / static_cast<double>(all);
}

}  // namespace

size_t CountLinears(const PrunedRun& pruned) { return pruned.report.pruned.size() + pruned.left_dense.size(); }

double SparsityOf(const PrunedRun& pruned) {
  return ShareOf(pruned, [](const nn::PrunedLinear& linear) {
    return linear.out_features * linear.in_features - linear.mask.CountKept();
  });
}

double ShareOfZeros(const PrunedRun& pruned) {
  return ShareOf(pruned, [](const nn::PrunedLinear& linear) { return linear.zeros; });
}

std::string SummaryOf(const PrunedRun& pruned) {
  const std::string line = fmt::format("sparsity of the {} linears: {:.4f}", CountLinears(pruned), SparsityOf(pruned));
  const double zeros = ShareOfZeros(pruned);
  constexpr double kMuch = 0.0005;
  return zeros - SparsityOf(pruned) < kMuch ? line : line + fmt::format("; {:.4f} of their weights are 0", zeros);
}

std::string ToLines(const PrunedRun& pruned) {
  const auto shape = [](const auto& linear) {
    return fmt::format("[{}, {}]", linear.out_features, linear.in_features);
  };
  std::vector<std::vector<std::string>> rows = {{"linear", "shape", "pattern", "sparsity", "retained", "output error"}};
  for (const nn::PrunedLinear& linear : pruned.report.pruned) {
    rows.push_back({linear.name, shape(linear), linear.pattern.ToString(), Text(linear.sparsity), Text(linear.retained),
                    Text(linear.output_error)});
  }
  for (const nn::SwapEntry& linear : pruned.left_dense) {
    rows.push_back({linear.name, shape(linear), "dense", Text(0.0), Text(1.0), Text(std::nullopt)});
  }
  std::string text = AlignedColumns(rows, 3);
  text += SummaryOf(pruned) + "\n";
  if (pruned.loss_before && pruned.loss_after) {
    text += fmt::format("loss: {:.4f}, before {:.4f}\n", *pruned.loss_after, *pruned.loss_before);
  }
  return text;
}

void SavePruningReport(FileSystem& files, const std::filesystem::path& path, const PruneRequest& request,
                       const PrunedRun& pruned) {
  JsonObject json;
  json.Set("run", request.run);
  if (request.checkpoint) json.Set("checkpoint", *request.checkpoint);
  json.Set("weights", pruned.weights);
  AddTo(json, pruned.record);
  SetIfFinite(json, "loss_before", pruned.loss_before);
  SetIfFinite(json, "loss_after", pruned.loss_after);
  json.Set("sparsity", SparsityOf(pruned));
  std::vector<JsonObject> linears, dense;
  for (const nn::PrunedLinear& linear : pruned.report.pruned) linears.push_back(ToJson(linear));
  for (const nn::SwapEntry& entry : pruned.report.kept_dense) {
    dense.emplace_back().Set("name", entry.name).Set("reason", entry.reason);
  }
  json.Set("linears", linears).Set("kept_dense", dense).Set("notes", pruned.notes);
  WriteText(files, path, json.ToTextReplacing(2) + "\n");
}

}  // namespace twofour::train
