#include "twofour/train/program/report/run_summary.h"

#include <algorithm>
#include <vector>

#include "twofour/train/program/config/options.h"

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

/// A record holds the speed of the steps since the record before.
std::optional<double> TrainingSeconds(const RunRecord& run) {
  const proto::Model& model = run.config.model();
  const auto units = static_cast<double>(run.config.training().batch_size() * AccumulateSteps(run.config) *
                                         (model.has_gpt() ? model.gpt().sequence_length() : 1));
  double seconds = 0;
  int64_t before = 0;
  for (const auto& [step, rate] : run.units_per_s) {
    if (rate <= 0) return std::nullopt;
    seconds += static_cast<double>(step - before) * units / rate;
    before = step;
  }
  return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

}  // namespace

RunSummary SummariseRun(const RunRecord& run) {
  RunSummary summary;
  summary.final_eval_loss = LastOf(run.eval_loss);
  // Step 0 is left out: it evaluates what the run began with.
  for (const auto& [step, loss] : run.eval_loss) {
    if (step > 0) summary.best_eval_loss = std::min(summary.best_eval_loss.value_or(loss), loss);
  }
  for (const auto& [name, curve] : run.eval_details) {
    if (const std::optional<double> last = LastOf(curve)) summary.final_details[name] = *last;
  }
  if (!run.train_loss.empty()) {
    const int64_t last = run.train_loss.rbegin()->first;
    summary.final_train_loss = MeanFrom(run.train_loss, last - last / 10);
  }
  if (const auto found = run.layer_means.find("sparsity"); found != run.layer_means.end()) {
    summary.final_sparsity = LastOf(found->second);
  }
  if (const auto found = run.layer_means.find("flip_rate"); found != run.layer_means.end()) {
    summary.mean_flip_rate = MeanFrom(found->second, 0);
  }
  summary.units_per_s = MedianOf(run.units_per_s);
  summary.training_seconds = TrainingSeconds(run);
  return summary;
}

}  // namespace twofour::train
