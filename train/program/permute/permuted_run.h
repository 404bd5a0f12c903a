#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/sparse/vnm.h"
#include "twofour/train/run_folder.h"

namespace twofour::train {

/// What `trainer permute` is asked for.
struct PermuteRequest {
  static constexpr int64_t kUsualBatches = 8;

  std::string from;                 ///< A finished or stopped dense run.
  std::string out;                  ///< The new run's folder.
  sparse::VnmPattern pattern = {};  ///< What masks will keep, or plain 2:4 (see pattern_mask.h).
  bool ria = false;                 ///< Scores are RIA, otherwise magnitudes.
  /// Of the training data, for RIA's activations. Not given: kUsualBatches, or as many as the data makes.
  std::optional<int64_t> batches = {};
  bool accept_changed_data = false;  ///< See LoadRunData.
  int64_t rounds = 2;
  bool hidden_only = false;      ///< Leaves the channels between blocks in order.
  std::string permutation = {};  ///< A file of orders to apply; empty: orders are searched.
  std::optional<int> threads = {};
  RunFolder::IfExists if_exists = RunFolder::IfExists::kFail;
};

/// A linear whose weight the run's recipe would prune, and the share of importance that masks keep of it.
struct PermutedLayer {
  std::string name;
  int64_t out_features = 0, in_features = 0;
  double kept_before = 0, kept_after = 0;
};

/// A run that was made.
struct PermutedRun {
  std::vector<std::string> notes;  ///< For the user.
  std::vector<PermutedLayer> layers;
  size_t groups = 0;  ///< Of channels that have an order.
};

/// Makes a run with the weights of a dense one in another order of channels, its config, what is known of its data, and
/// permutation.safetensors. The model computes the same apart from rounding. Throws Error if the run is sparse, its
/// model has no channels to reorder or no linears to prune, RIA has no data, a file does not fit, or one that is needed
/// lies in `out`. Nothing appears at `out` then, and neither if `stop` becomes true; then it returns nothing.
std::optional<PermutedRun> PermuteRun(const PermuteRequest& request, const std::atomic<bool>& stop);

}  // namespace twofour::train
