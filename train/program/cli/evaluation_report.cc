#include "twofour/train/program/cli/evaluation_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "twofour/core/io/json.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

constexpr size_t kMostClasses = 20;

/// The classes to show: all, or those with the lowest F1, the lowest first.
std::vector<int64_t> ClassesToShow(const ConfusionMatrix& confusion) {
  std::vector<int64_t> classes(static_cast<size_t>(confusion.num_classes()));
  std::iota(classes.begin(), classes.end(), 0);
  if (classes.size() <= kMostClasses) return classes;
  std::erase_if(classes, [&](int64_t c) { return !confusion.F1(c); });
  std::ranges::stable_sort(classes, {}, [&](int64_t c) { return *confusion.F1(c); });
  classes.resize(std::min(classes.size(), kMostClasses));
  return classes;
}

std::string Share(const std::optional<double>& share) { return share ? fmt::format("{:.4f}", *share) : "-"; }

/// Columns of the matrix as wide as their longest entry.
std::string MatrixLines(const ConfusionMatrix& confusion, const std::vector<std::string>& names) {
  size_t name_width = 0;
  for (const std::string& name : names) name_width = std::max(name_width, name.size());
  std::vector<size_t> widths;
  for (size_t column = 0; column < names.size(); ++column) {
    size_t width = names[column].size();
    for (int64_t c = 0; c < confusion.num_classes(); ++c) {
      width = std::max(width, fmt::formatted_size("{}", confusion.PredictedFor(c)[column]));
    }
    widths.push_back(width);
  }
  std::string lines = fmt::format("\nclass (rows) taken for (columns)\n{:{}}", "", name_width);
  for (size_t column = 0; column < names.size(); ++column)
    lines += fmt::format("  {:>{}}", names[column], widths[column]);
  lines += '\n';
  for (int64_t c = 0; c < confusion.num_classes(); ++c) {
    lines += fmt::format("{:{}}", names[static_cast<size_t>(c)], name_width);
    for (size_t column = 0; column < names.size(); ++column) {
      lines += fmt::format("  {:>{}}", confusion.PredictedFor(c)[column], widths[column]);
    }
    lines += '\n';
  }
  return lines;
}

std::string ClassLines(const EvaluationReport& report) {
  const ConfusionMatrix& confusion = *report.confusion;
  std::vector<std::string> names;
  size_t width = std::string_view("class").size();
  for (const std::string& name : report.class_names) {
    names.push_back(Quoted(name));
    width = std::max(width, names.back().size());
  }
  const std::vector<int64_t> shown = ClassesToShow(confusion);
  std::string lines =
      fmt::format("\n{:{}}  {:>8}  {:>9}  {:>6}  {:>6}\n", "class", width, report.unit, "precision", "recall", "F1");
  for (const int64_t c : shown) {
    lines +=
        fmt::format("{:{}}  {:>8}  {:>9}  {:>6}  {:>6}\n", names[static_cast<size_t>(c)], width, confusion.SamplesOf(c),
                    Share(confusion.Precision(c)), Share(confusion.Recall(c)), Share(confusion.F1(c)));
  }
  if (shown.size() < names.size()) {
    return lines +
           fmt::format("({} of {} classes, those with the lowest F1; --json has all)\n", shown.size(), names.size());
  }
  return lines + MatrixLines(confusion, names);
}

/// A line for each of several targets. What one target would say is among the metrics.
std::string TargetLines(const EvaluationReport& report) {
  const RegressionErrors& errors = *report.errors;
  if (errors.targets() == 1) return "";
  std::vector<std::string> names;
  size_t width = std::string_view("target").size();
  for (const std::string& name : report.target_names) {
    names.push_back(Quoted(name));
    width = std::max(width, names.back().size());
  }
  std::string lines = fmt::format("\n{:{}}  {:>12}  {:>12}  {:>8}\n", "target", width, "RMSE", "MAE", "R2");
  for (int64_t t = 0; t < errors.targets(); ++t) {
    lines += fmt::format("{:{}}  {:>12.6g}  {:>12.6g}  {:>8}\n", names[static_cast<size_t>(t)], width, errors.Rmse(t),
                         errors.Mae(t), Share(errors.R2(t)));
  }
  return lines;
}

JsonObject& SetShare(JsonObject& json, const char* name, const std::optional<double>& share) {
  return json.Set(name, share.value_or(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace

std::string ToLines(const EvaluationReport& report) {
  std::string lines =
      fmt::format("weights: {}{}\n", report.weights, report.step ? fmt::format(", after step {}", *report.step) : "");
  lines +=
      fmt::format("data: {}\n{}: {}\nloss: {}\n", report.data, report.unit, report.metrics.count, report.metrics.loss);
  for (const auto& [name, value] : report.metrics.details) lines += fmt::format("{}: {}\n", name, value);
  if (report.errors) lines += TargetLines(report);
  return report.confusion ? lines + ClassLines(report) : lines;
}

std::string ToJson(const EvaluationReport& report) {
  JsonObject json;
  json.Set("weights", report.weights);
  if (report.step) json.Set("step", *report.step);
  json.Set("data", report.data).Set(report.unit, report.metrics.count).Set("loss", report.metrics.loss);
  for (const auto& [name, value] : report.metrics.details) json.Set(name, value);
  if (report.confusion) {
    std::vector<JsonObject> classes;
    for (int64_t c = 0; c < report.confusion->num_classes(); ++c) {
      JsonObject& entry = classes.emplace_back();
      entry.Set("name", report.class_names[static_cast<size_t>(c)]).Set("samples", report.confusion->SamplesOf(c));
      SetShare(entry, "precision", report.confusion->Precision(c));
      SetShare(entry, "recall", report.confusion->Recall(c));
      SetShare(entry, "f1", report.confusion->F1(c));
      const std::span<const int64_t> predicted = report.confusion->PredictedFor(c);
      if (!predicted.empty()) entry.Set("predicted", std::vector<int64_t>(predicted.begin(), predicted.end()));
    }
    json.Set("classes", classes);
  }
  if (report.errors) {
    std::vector<JsonObject> targets;
    for (int64_t t = 0; t < report.errors->targets(); ++t) {
      JsonObject& entry = targets.emplace_back();
      entry.Set("name", report.target_names[static_cast<size_t>(t)]);
      entry.Set("rmse", report.errors->Rmse(t)).Set("mae", report.errors->Mae(t));
      SetShare(entry, "r2", report.errors->R2(t));
    }
    json.Set("targets", targets);
  }
  return json.ToTextReplacing(2) + "\n";
}

}  // namespace twofour::train
