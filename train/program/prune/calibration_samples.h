#pragma once

#include <cstdint>
#include <string>

#include "twofour/nn/calibration.h"
#include "twofour/train/program/config/workload.h"

namespace twofour::train {

/// What a model is calibrated with.
struct CalibrationSamples {
  int64_t count = 128;  ///< Samples or sequences of the training data; rounded up to whole batches.
  uint32_t seed = 0;    ///< Which ones.
  /// Whether all of the data will do where it has fewer: for a default that nobody asked for.
  bool or_all = false;
};

/// As many batches of `batch_size` of the training data as they fill. Throws Error, naming the field or option
/// `count_name`, if they are more than the data, unless `or_all`. The workload must outlive the result.
nn::Calibration CalibrationOf(const Workload& workload, int64_t batch_size, const CalibrationSamples& samples,
                              const std::string& count_name);

}  // namespace twofour::train
