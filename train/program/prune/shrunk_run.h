#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/structured/shrink.h"
#include "twofour/train/run_folder.h"

namespace twofour::train {

/// What `trainer shrink` is asked for.
struct ShrinkRequest {
  std::string run;                             ///< A dense run with weights.
  std::optional<std::string> checkpoint = {};  ///< See LoadTrainedRun.
  std::string out;                             ///< The new run's folder.
  nn::ShrinkOptions options = {};
  /// Samples or sequences of the training data that importances are measured on; rounded up to whole batches.
  int64_t samples = 128;
  bool or_all_samples = false;       ///< See CalibrationSamples::or_all.
  uint32_t seed = 0;                 ///< Which samples these are.
  bool evaluate = true;              ///< Whether losses before and after are found.
  bool accept_changed_data = false;  ///< See LoadRunData.
  std::optional<int> threads = {};
  RunFolder::IfExists if_exists = RunFolder::IfExists::kFail;
};

/// A run that was made.
struct ShrunkRun {
  std::vector<std::string> notes = {};  ///< For the user.
  nn::ShrinkReport report = {};
  int64_t samples = 0;                                      ///< That importances were measured on.
  std::optional<double> loss_before = {}, loss_after = {};  ///< On the evaluation data.
};

/// Makes a run of the best parts of another one's model: its config describes the smaller model, shrink.json what it
/// kept, and it can be trained, evaluated and sampled as any other. Throws Error if the run is sparse, its model has no
/// such parts or fewer than are to be kept, if data is needed and there is none, and if a file that is needed lies in
/// `out`. Nothing appears at `out` then, and neither if `stop` becomes true; then it returns nothing.
std::optional<ShrunkRun> ShrinkRun(const ShrinkRequest& request, const std::atomic<bool>& stop);

}  // namespace twofour::train
