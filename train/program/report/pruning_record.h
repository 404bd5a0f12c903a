#pragma once

#include <optional>
#include <string>

namespace twofour::train {

/// How a run was pruned.
struct PruningRecord {
  std::string method = {}, pattern = {};
  std::optional<double> sparsity = {};                      ///< The share of the pruned linears' weights that is gone.
  std::optional<double> loss_before = {}, loss_after = {};  ///< On the evaluation data, where they were found.
};

// Both files may come from anywhere. Throw Error, in one line that begins with `source`, if they are damaged.

/// Reads pruning.json, which `trainer prune` wrote about a run that it made (see SavePruningReport).
PruningRecord ParsePruningRecord(const std::string& text, const std::string& source);
/// The same of shrink.json (see SaveShrinkReport). The pattern is the share of parameters that stayed, in words.
PruningRecord ParseShrinkRecord(const std::string& text, const std::string& source);
/// The same of quantization.json (see SaveQuantizationReport). The method names what weights and inputs were rounded
/// to, and the pattern is the share of bytes that stayed, in words.
PruningRecord ParseQuantizationRecord(const std::string& text, const std::string& source);

}  // namespace twofour::train
