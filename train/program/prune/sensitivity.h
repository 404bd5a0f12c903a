#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/io/file_checksum.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::train {

/// The loss of a model in which one linear alone is pruned.
struct LossOfLevel {
  sparse::PruningPattern pattern = {};
  /// The share of entries that are 0. It need not be what the pattern says: blocks may be large, and some entries may
  /// have been 0 before.
  double sparsity = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< NaN if it is not finite.
};

struct LinearSensitivity {
  std::string name;
  int64_t out_features = 0, in_features = 0;
  std::vector<LossOfLevel> levels = {};
};

/// What `trainer sensitivity` found out about a run.
struct Sensitivity {
  std::string run = {};                               ///< Its folder.
  std::string weights = {};                           ///< The file that they are from.
  FileChecksum weights_checksum = {};                 ///< Of that file.
  std::string method = {};                            ///< As --method names it.
  sparse::PruningPattern kind = {};                   ///< See ParsePatternKind.
  std::vector<sparse::PruningPattern> patterns = {};  ///< The levels, in rising order.
  int64_t samples = 0;                                ///< That scores and weights are from; 0: none were needed.
  uint32_t seed = 0;
  std::string include = {}, exclude = {};
  int64_t multiple_of = 1;
  double dense_loss = 0;  ///< With no linear pruned.
  std::vector<LinearSensitivity> linears = {};
  std::vector<nn::SwapEntry> kept_dense = {};
};

}  // namespace twofour::train
