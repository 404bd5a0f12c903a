#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/one_shot.h"
#include "twofour/train/program/prune/allocated_patterns.h"
#include "twofour/train/program/prune/linears_of_run.h"
#include "twofour/train/run_folder.h"

#include "config.pb.h"

namespace twofour::train {

/// What `trainer prune` is asked for.
struct PruneRequest {
  std::string run;                             ///< A run with weights.
  std::optional<std::string> checkpoint = {};  ///< See LoadTrainedRun.
  std::string out;                             ///< The new run's folder.
  nn::OneShotOptions options = {};             ///< Without those that LinearsOfRun and `seed` give.
  LinearsOfRun linears = {};
  AllocationRequest allocation = {};
  /// Samples or sequences of the training data to calibrate with; rounded up to whole batches of training.
  int64_t samples = 128;
  bool or_all_samples = false;       ///< See CalibrationSamples::or_all.
  uint32_t seed = 0;                 ///< Of the choice of samples, and of random scores.
  bool evaluate = true;              ///< Whether losses before and after are found.
  bool accept_changed_data = false;  ///< See LoadRunData.
  std::optional<int> threads = {};
  std::optional<DType> activations = {};  ///< What calibration and losses are computed in; by default as in training.
  RunFolder::IfExists if_exists = RunFolder::IfExists::kFail;
};

/// Whether samples of the run's data are wanted.
bool TakesData(const PruneRequest& request);
/// Whether the seed makes a difference.
bool TakesSeed(const PruneRequest& request);

/// A run that was made.
struct PrunedRun {
  std::vector<std::string> notes = {};  ///< For the user.
  nn::OneShotReport report = {};
  std::vector<nn::SwapEntry> left_dense = {};  ///< By the allocation. They are also in the report.
  std::string weights = {};                    ///< The file that was pruned.
  proto::Pruning record = {};
  std::optional<double> loss_before = {};  ///< On the evaluation data, ...
  std::optional<double> loss_after = {};   ///< ... the same that the new run is evaluated with.
};

/// Makes a run with the weights of another one after pruning, their masks, a config whose recipe keeps these, what is
/// known of its data, and pruning.json. Tells `done` of each linear. Throws Error on options that do not go together,
/// if a linear does not fit the pattern, if data is needed and there is none, if the run is sparse already and a mask
/// would keep more than before, and if a file that is needed lies in `out`. Nothing appears at `out` then, and neither
/// if `stop` becomes true; then it returns nothing.
std::optional<PrunedRun> PruneRun(const PruneRequest& request, const std::atomic<bool>& stop,
                                  const std::function<void(const nn::PrunedLinear&)>& done = {});

}  // namespace twofour::train
