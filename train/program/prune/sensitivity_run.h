#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/one_shot.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/program/prune/linears_of_run.h"
#include "twofour/train/program/prune/sensitivity.h"

namespace twofour::train {

/// What `trainer sensitivity` is asked for.
struct SensitivityRequest {
  std::string run;                                    ///< A run with weights and data.
  std::optional<std::string> checkpoint = {};         ///< See LoadTrainedRun.
  std::string out;                                    ///< The folder of the results.
  sparse::PruningPattern kind = {};                   ///< See ParsePatternKind.
  std::vector<sparse::PruningPattern> patterns = {};  ///< Of this kind, in rising order.
  nn::OneShotOptions options = {};                    ///< The method. The rest is not used.
  LinearsOfRun linears = {};
  int64_t samples = 0;               ///< As in PruneRequest.
  bool or_all_samples = false;       ///< Likewise.
  uint32_t seed = 0;                 ///< Likewise.
  bool accept_changed_data = false;  ///< See LoadRunData.
  std::optional<int> threads = {};
};

/// How far it got.
struct SensitivityProgress {
  std::vector<std::string> notes = {};     ///< For the user.
  size_t losses = 0, measured = 0;         ///< How many there are to be, and how many of them there are.
  std::optional<Sensitivity> result = {};  ///< Nothing if it was stopped.
};

/// Measures the loss on a run's evaluation data with one linear pruned, for each linear and pattern. Losses go into
/// SensitivityLog as they are found, and all of it into sensitivity.json and sensitivity.html at the end. Another call
/// with the same request measures what is missing. Calls `done` after each loss that it measures. Throws Error on
/// options that do not go together, on a run without data, if no linear matches and as SensitivityLog does, and then
/// writes nothing.
SensitivityProgress MeasureSensitivity(const SensitivityRequest& request, const std::atomic<bool>& stop,
                                       const std::function<void()>& done = {});

}  // namespace twofour::train
