#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// An evaluation of a run, or the mean over runs of their evaluations at a step.
struct EvaluationPoint {
  double step = 0, loss = 0;
  std::optional<double> seconds = {};  ///< Of training so far; nothing if not all of the runs recorded them.
};

/// The means over runs, at the steps where all of them were evaluated. A mean over seeds has less noise than a single
/// seed, whose luckiest evaluation would otherwise decide. Runs without any evaluation do not count.
std::vector<EvaluationPoint> MeanEvaluations(const std::vector<const RunRecord*>& runs);

/// Where a loss was reached.
struct LossReached {
  double step = 0;
  std::optional<double> seconds = {};  ///< Nothing if they are not recorded there.
  bool at_most = false;                ///< The first evaluation was after this step, and its loss was already as low.
};

/// Where the loss first comes down to `target`, on the straight line between two evaluations. Nothing if it never does.
/// While a curve flattens out, the line lies above it, so the result is rather too late than too early.
std::optional<LossReached> FirstReached(const std::vector<EvaluationPoint>& evaluations, double target);

/// When a group reached a loss.
struct GroupReached {
  size_t seeds = 0;                            ///< Finished runs with evaluations.
  std::vector<EvaluationPoint> mean = {};      ///< Their MeanEvaluations.
  std::optional<LossReached> reached = {};     ///< On the means.
  std::vector<LossReached> single_seeds = {};  ///< For each seed whose own evaluations reach it.
};

GroupReached WhenReached(const RunGroup& group, double target);

/// The mean loss over a group's finished seeds at the last step where all of them were evaluated. The group's
/// GroupReached::mean ends there, so the group itself reaches it. Nothing without such a step.
std::optional<EvaluationPoint> FinalEvaluation(const RunGroup& group);

}  // namespace twofour::train
