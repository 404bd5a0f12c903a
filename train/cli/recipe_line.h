#pragma once

#include <string>

#include "twofour/nn/semi_sparse_linear.h"

namespace twofour::train {

/// A recipe in one line: "exact masks, searched after every step; tiles pruned: cubic, 0 at step 0 to 1 at step 500".
std::string DescribeRecipe(const nn::SemiSparseOptions& options);

}  // namespace twofour::train
