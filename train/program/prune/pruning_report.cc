#include "twofour/train/program/prune/pruning_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"

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
  json.Set("pattern", linear.pattern.ToString()).Set("sparsity", linear.sparsity).Set("retained", linear.retained);
  SetIfFinite(json, "output_error", linear.output_error);
  return json;
}

}  // namespace

double SparsityOf(const nn::OneShotReport& report) {
  int64_t kept = 0, all = 0;
  for (const nn::PrunedLinear& linear : report.pruned) {
    kept += linear.mask.CountKept();
    all += linear.out_features * linear.in_features;
  }
  return all == 0 ? 0 : 1 - static_cast<double>(kept) / static_cast<double>(all);
}

std::string SummaryOf(const nn::OneShotReport& report) {
  return fmt::format("sparsity of the {} linears: {:.4f}", report.pruned.size(), SparsityOf(report));
}

std::string ToLines(const PrunedRun& pruned) {
  size_t name = std::string_view("linear").size(), shape = 0, pattern = std::string_view("pattern").size();
  const auto shape_of = [](const nn::PrunedLinear& linear) {
    return fmt::format("[{}, {}]", linear.out_features, linear.in_features);
  };
  for (const nn::PrunedLinear& linear : pruned.report.pruned) {
    name = std::max(name, linear.name.size());
    shape = std::max(shape, shape_of(linear).size());
    pattern = std::max(pattern, linear.pattern.ToString().size());
  }
  const auto line = [&](const auto&... cells) {
    return fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>8}  {:>8}  {:>12}\n", cells...);
  };
  std::string text = line("linear", name, "shape", shape, "pattern", pattern, "sparsity", "retained", "output error");
  for (const nn::PrunedLinear& linear : pruned.report.pruned) {
    text +=
        line(linear.name, name, shape_of(linear), shape, linear.pattern.ToString(), pattern,
             fmt::format("{:.4f}", linear.sparsity), fmt::format("{:.4f}", linear.retained), Text(linear.output_error));
  }
  text += SummaryOf(pruned.report) + "\n";
  if (pruned.loss_before && pruned.loss_after) {
    text += fmt::format("loss: {:.4f}, before {:.4f}\n", *pruned.loss_after, *pruned.loss_before);
  }
  return text;
}

void SavePruningReport(FileSystem& files, const std::filesystem::path& path, const PruneRequest& request,
                       const PrunedRun& pruned) {
  const nn::OneShotOptions& options = request.options;
  JsonObject json;
  json.Set("run", request.run).Set("method", NameOf(options)).Set("pattern", options.pattern.ToString());
  json.Set("allocation", NameOf(request.allocation.method)).Set("order", NameOf(options.order));
  json.Set("samples", pruned.samples).Set("seed", request.seed);
  SetIfFinite(json, "loss_before", pruned.loss_before);
  SetIfFinite(json, "loss_after", pruned.loss_after);
  json.Set("sparsity", SparsityOf(pruned.report));
  std::vector<JsonObject> linears, dense;
  for (const nn::PrunedLinear& linear : pruned.report.pruned) linears.push_back(ToJson(linear));
  for (const nn::SwapEntry& entry : pruned.report.kept_dense) {
    dense.emplace_back().Set("name", entry.name).Set("reason", entry.reason);
  }
  json.Set("linears", linears).Set("kept_dense", dense);
  WriteText(files, path, json.ToTextReplacing(2) + "\n");
}

}  // namespace twofour::train
