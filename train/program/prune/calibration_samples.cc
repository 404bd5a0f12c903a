#include "twofour/train/program/prune/calibration_samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"

namespace twofour::train {
namespace {

/// Batches of one seed's calibration are apart from those of another.
constexpr int64_t kBatchesOfASeed = 1'000'000;

}  // namespace

nn::Calibration CalibrationOf(const Workload& workload, int64_t batch_size, const CalibrationSamples& samples,
                              const std::string& count_name) {
  Task& task = *workload.task;
  const int64_t most = CeilDiv(workload.training_units, task.units_per_batch());
  int64_t batches = CeilDiv(samples.count, batch_size);
  if (samples.or_all) batches = std::min(batches, most);
  if (batches > most) {
    throw Error(fmt::format("{}: {}, expected at most {}, which are the training data once, in batches of {}",
                            count_name, samples.count, most * batch_size, batch_size));
  }
  const int64_t first = kBatchesOfASeed * samples.seed;
  return {.batches = batches,
          .loss = [&task, first](int64_t batch) { return task.Loss(static_cast<uint64_t>(first + batch)); }};
}

}  // namespace twofour::train
