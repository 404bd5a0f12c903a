#include "twofour/train/program/report/run_summary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/train/program/report/training_time.h"

namespace twofour::train {
namespace {

std::optional<double> LastOf(const Curve& curve) {
  return curve.empty() ? std::nullopt : std::optional(curve.rbegin()->second);
}

std::optional<double> MeanFrom(const Curve& curve, int64_t first_step) {
  double sum = 0, count = 0;
  for (auto point = curve.lower_bound(first_step); point != curve.end(); ++point, ++count) sum += point->second;
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

std::optional<double> MedianOf(const Curve& curve) {
  std::vector<double> values;
  for (const auto& [step, value] : curve) values.push_back(value);
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Up to the last record of seconds or speeds.
std::optional<double> TrainingSeconds(const RunRecord& run) {
  int64_t last = 0;
  for (const Curve* curve : {&run.training_seconds, &run.units_per_s}) {
    if (!curve->empty()) last = std::max(last, curve->rbegin()->first);
  }
  return last > 0 ? TrainingSecondsAt(run, last) : std::nullopt;
}

}  // namespace

RunSummary SummariseRun(const RunRecord& run) {
  RunSummary summary;
  summary.final_eval_loss = LastOf(run.eval_loss);
  // Step 0 evaluates what the run began with.
  const int64_t first_compared = std::max<int64_t>(FirstComparedStep(run), 1);
  for (const auto& [step, loss] : run.eval_loss) {
    if (step == 0) summary.first_eval_loss = loss;
    if (step >= first_compared) summary.best_eval_loss = std::min(summary.best_eval_loss.value_or(loss), loss);
  }
  // The run itself knows best.
  if (run.best.step >= first_compared && std::isfinite(run.best.loss)) summary.best_eval_loss = run.best.loss;
  for (const auto& [name, curve] : run.eval_details) {
    if (const std::optional<double> last = LastOf(curve)) summary.final_details[name] = *last;
  }
  if (!run.train_loss.empty()) {
    const int64_t last = run.train_loss.rbegin()->first;
    summary.final_train_loss = MeanFrom(run.train_loss, last - last / 10);
  }
  summary.final_sparsity = run.final_sparsity;
  const auto sparsities = run.layer_means.find("sparsity");
  if (!summary.final_sparsity && sparsities != run.layer_means.end()) {
    summary.final_sparsity = LastOf(sparsities->second);
  }
  if (const auto found = run.layer_means.find("flip_rate"); found != run.layer_means.end()) {
    summary.mean_flip_rate = MeanFrom(found->second, 0);
  }
  if (run.pruning && !summary.final_eval_loss) summary.final_eval_loss = run.pruning->loss_after;
  if (run.pruning && !summary.final_sparsity) summary.final_sparsity = run.pruning->sparsity;
  summary.units_per_s = MedianOf(run.units_per_s);
  summary.training_seconds = TrainingSeconds(run);
  summary.recorded_seconds = LastOf(run.training_seconds);
  return summary;
}

}  // namespace twofour::train
