#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// How the columns of a table become a model's inputs, as it was when the model was made. Other tables are read by it.
struct TableSchema {
  int64_t features = 0;
  std::vector<std::string> feature_names = {};  ///< [features], in the order of the inputs; empty if without names.
  std::optional<std::string> label_name = {};
  std::optional<int64_t> label_column = {};  ///< Counted from 0. All other columns are features.
  FeatureScaling scaling = {};
};

}  // namespace twofour::train
