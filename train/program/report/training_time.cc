#include "twofour/train/program/report/training_time.h"

#include <algorithm>
#include <iterator>

#include "twofour/train/program/config/options.h"

namespace twofour::train {
namespace {

/// Samples or tokens in an optimizer step.
double UnitsPerStep(const proto::Config& config) {
  const proto::Model& model = config.model();
  return static_cast<double>(config.training().batch_size() * AccumulateSteps(config) *
                             (model.has_gpt() ? model.gpt().sequence_length() : 1));
}

}  // namespace

std::optional<double> TrainingSecondsAt(const RunRecord& run, int64_t step) {
  int64_t counted = 0;
  double seconds = 0;
  if (const auto later = run.training_seconds.upper_bound(step); later != run.training_seconds.begin()) {
    counted = std::prev(later)->first;
    seconds = std::prev(later)->second;
  }
  if (counted >= step) return seconds;
  if (run.units_per_s.empty()) return std::nullopt;
  const double units = UnitsPerStep(run.config);
  const auto count_up_to = [&](int64_t end, double rate) {
    seconds += static_cast<double>(end - counted) * units / rate;
    counted = end;
    return rate > 0;
  };
  for (auto speed = run.units_per_s.upper_bound(counted); counted < step && speed != run.units_per_s.end(); ++speed) {
    if (!count_up_to(std::min(speed->first, step), speed->second)) return std::nullopt;
  }
  if (counted < step && !count_up_to(step, run.units_per_s.rbegin()->second)) return std::nullopt;
  return seconds;
}

}  // namespace twofour::train
