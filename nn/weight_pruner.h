#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/one_shot.h"
#include "twofour/sparse/prune/alps.h"
#include "twofour/sparse/prune/gradient_statistics.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/prune/pruned_weight.h"
#include "twofour/sparse/prune/sparsegpt.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/scores/mask_score.h"

namespace twofour::nn {

/// The options of a method for a pattern.
sparse::SparseGptOptions SparseGptOf(const OneShotOptions& options, const sparse::PruningPattern& pattern);
sparse::AlpsOptions AlpsOf(const OneShotOptions& options, const sparse::PruningPattern& pattern);

/// What these options take from calibration data.
sparse::ScoreNeeds NeedsOf(const OneShotOptions& options);

/// What calibration data says of one linear. What the options need must be there.
struct LinearStatistics {
  const sparse::InputStatistics* inputs = nullptr;
  const sparse::GradientStatistics* gradients = nullptr;
};

/// Prunes the weight of one linear by the method of the options, for as many patterns as wanted: its scores are found
/// once. The options and the statistics must outlive it.
class WeightPruner {
 public:
  /// `dense` is the weight f32 [out, in] of the linear `name`, and stays as it is. `stream` is added to that of the
  /// options' key, from which random scores are drawn.
  WeightPruner(const OneShotOptions& options, std::string name, Tensor dense, const LinearStatistics& statistics,
               uint32_t stream = 0);

  /// Throws Error as sparse::ScoresOf does.
  const Tensor& Scores();
  /// Throws Error as the method does.
  sparse::PrunedWeight Prune(const sparse::PruningPattern& pattern);
  /// What the user should know of what was done so far, one line each, without that of PrunedWeight.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void NoteLowRank();

  const OneShotOptions& options_;
  std::string name_;
  Tensor dense_;
  LinearStatistics statistics_;
  uint32_t stream_;
  std::optional<Tensor> scores_;
  std::vector<std::string> notes_;
};

}  // namespace twofour::nn
