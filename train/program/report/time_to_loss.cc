#include "twofour/train/program/report/time_to_loss.h"

#include <algorithm>

#include "twofour/train/program/report/mean_curve.h"

namespace twofour::train {
namespace {

std::vector<const RunRecord*> FinishedRuns(const RunGroup& group) {
  std::vector<const RunRecord*> runs;
  for (const RunRecord& run : group.runs) {
    if (run.finished && !run.eval_loss.empty()) runs.push_back(&run);
  }
  return runs;
}

/// The number at `share` of the way from `begin` to `end`.
double Between(double begin, double end, double share) { return begin + share * (end - begin); }

}  // namespace

std::vector<EvaluationPoint> MeanEvaluations(const std::vector<const RunRecord*>& runs) {
  std::vector<const RunRecord*> evaluated;
  std::vector<const Curve*> losses;
  int64_t first_compared = 0;
  for (const RunRecord* run : runs) {
    if (run->eval_loss.empty()) continue;
    evaluated.push_back(run);
    losses.push_back(&run->eval_loss);
    first_compared = std::max(first_compared, FirstComparedStep(*run));
  }
  std::vector<EvaluationPoint> points;
  const auto count = static_cast<double>(evaluated.size());
  for (const int64_t step : CommonSteps(losses)) {
    if (step < first_compared) continue;
    EvaluationPoint point{.step = static_cast<double>(step), .seconds = 0.0};
    for (const RunRecord* run : evaluated) {
      point.loss += run->eval_loss.at(step) / count;
      const auto seconds = run->training_seconds.find(step);
      if (seconds == run->training_seconds.end()) point.seconds.reset();
      if (point.seconds) *point.seconds += seconds->second / count;
    }
    points.push_back(point);
  }
  return points;
}

std::optional<LossReached> FirstReached(const std::vector<EvaluationPoint>& evaluations, double target) {
  for (size_t i = 0; i < evaluations.size(); ++i) {
    const EvaluationPoint& after = evaluations[i];
    if (after.loss > target) continue;
    if (i == 0) return LossReached{after.step, after.seconds, /*at_most=*/after.step > 0};
    const EvaluationPoint& before = evaluations[i - 1];
    const double share = (before.loss - target) / (before.loss - after.loss);
    LossReached reached{.step = Between(before.step, after.step, share)};
    if (before.seconds && after.seconds) reached.seconds = Between(*before.seconds, *after.seconds, share);
    return reached;
  }
  return std::nullopt;
}

GroupReached WhenReached(const RunGroup& group, double target) {
  const std::vector<const RunRecord*> runs = FinishedRuns(group);
  GroupReached result{.seeds = runs.size(), .mean = MeanEvaluations(runs)};
  result.reached = FirstReached(result.mean, target);
  for (const RunRecord* run : runs) {
    if (const auto reached = FirstReached(MeanEvaluations({run}), target)) result.single_seeds.push_back(*reached);
  }
  return result;
}

std::optional<EvaluationPoint> FinalEvaluation(const RunGroup& group) {
  const std::vector<EvaluationPoint> mean = MeanEvaluations(FinishedRuns(group));
  return mean.empty() ? std::nullopt : std::optional(mean.back());
}

}  // namespace twofour::train
