#pragma once

#include <string>

#include "twofour/nn/semi_sparse_linear.h"

namespace twofour::train {

/// The pattern that the layers get: "2:4 sparsity enabled" for masks that are 2:4 both ways at all steps, "4:8 sparsity
/// along rows enabled", "3:4, then 2:4 sparsity enabled", "2:4 masks found, but not applied".
std::string DescribePattern(const nn::SemiSparseOptions& options);

/// A recipe in one line: "exact masks, searched after every step; tiles pruned: cubic, 0 at step 0 to 1 at step 500".
std::string DescribeRecipe(const nn::SemiSparseOptions& options);

}  // namespace twofour::train
