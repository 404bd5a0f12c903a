#pragma once

#include <optional>
#include <string>

namespace twofour::train {

/// What `trainer prune` wrote about a run that it made (see SavePruningReport).
struct PruningRecord {
  std::string method = {}, pattern = {};
  double sparsity = 0;                                      ///< The share of the pruned linears' weights that is gone.
  std::optional<double> loss_before = {}, loss_after = {};  ///< On the evaluation data, where they were found.
};

/// Reads pruning.json, which may come from anywhere. Throws Error, in one line that begins with `source`, if it is
/// damaged.
PruningRecord ParsePruningRecord(const std::string& text, const std::string& source);

}  // namespace twofour::train
