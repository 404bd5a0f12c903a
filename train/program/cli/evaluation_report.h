#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/train/confusion_matrix.h"
#include "twofour/train/metrics.h"
#include "twofour/train/regression_errors.h"

namespace twofour::train {

/// What `trainer evaluate` found.
struct EvaluationReport {
  std::string weights;          ///< The file that the weights are from.
  std::optional<int64_t> step;  ///< Optimizer steps that they have had, where known.
  std::string data;             ///< What was evaluated on, in words.
  std::string unit;             ///< What the data is counted in: "samples", "tokens".
  EvalMetrics metrics;
  std::optional<ConfusionMatrix> confusion = {};  ///< Only for classes.
  std::vector<std::string> class_names = {};      ///< Likewise. [num_classes]
  std::optional<RegressionErrors> errors = {};    ///< Only for targets that are numbers.
  std::vector<std::string> target_names = {};     ///< Likewise. [targets]
};

/// The report for people. Numbers are exact (as few digits as give the same double again), but for shares of a class,
/// which have four digits. Of many classes only those with the lowest F1 are shown, and the matrix is left out.
std::string ToLines(const EvaluationReport& report);

/// The report as one JSON object:
///   {"weights":..,"step":..,"data":..,"samples":..,"loss":..,"accuracy":..,"classes":[{"name":..,"samples":..,
///    "precision":..,"recall":..,"f1":..,"predicted":[..]}]}
/// `predicted` counts for what class the samples of this class were taken. A share of nothing is null. Where targets
/// are numbers, in place of accuracy and classes:
///   "rmse":..,"mae":..,"r2":..,"targets":[{"name":..,"rmse":..,"mae":..,"r2":..}]
std::string ToJson(const EvaluationReport& report);

}  // namespace twofour::train
