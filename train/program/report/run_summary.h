#pragma once

#include <map>
#include <optional>
#include <string>

#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

/// A run in a few numbers. A number is missing if the metrics do not have it.
struct RunSummary {
  std::optional<double> final_eval_loss;        ///< Of a run that was only pruned, the loss after that.
  std::optional<double> best_eval_loss;         ///< Of the steps from FirstComparedStep on, without step 0.
  std::optional<double> first_eval_loss;        ///< Of an evaluation before the first step.
  std::map<std::string, double> final_details;  ///< The details of the last evaluation: "accuracy", ...
  std::optional<double> final_train_loss;       ///< Mean of the records of the last tenth of the steps.
  std::optional<double> final_sparsity;    ///< RunRecord's; or mean of layers at the last record; or PruningRecord's.
  std::optional<double> mean_flip_rate;    ///< Mean over layers and records.
  std::optional<double> units_per_s;       ///< The median of the records, so that a busy moment does not count.
  std::optional<double> training_seconds;  ///< Up to the last record; by the speeds if no seconds are recorded.
  std::optional<double> recorded_seconds;  ///< The same, but nothing if no seconds are recorded.
};

RunSummary SummariseRun(const RunRecord& run);

}  // namespace twofour::train
