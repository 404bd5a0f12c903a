#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {

/// Which linears of a tree are pruned in place.
struct PrunableChoice {
  std::string include = ".*", exclude = {};  ///< As in SwapOptions.
  int64_t multiple_of = 1;                   ///< Both sizes are multiples of this.
  const char* done = "pruned";               ///< What is done to them, in messages.
};

struct PrunableLinear {
  std::string name;
  const Module* module;                ///< A Linear or a SemiSparseLinear.
  Tensor weight;                       ///< f32 [out, in]
  SemiSparseLinear* masked = nullptr;  ///< The module, if it is one.
};

/// The linears below `root`, or `root` itself, whose f32 weight may be pruned: of type Linear, or SemiSparseLinears
/// whose masks are given (SemiSparseOptions::searches), and of no derived class, which may compute something else; with
/// a weight that no other module has, because that would be pruned behind the user's back. Appends all others to
/// `kept_dense` with the reason, if it is given. Throws Error if there are none, with all reasons.
std::vector<PrunableLinear> FindPrunableLinears(Module& root, const PrunableChoice& choice,
                                                std::vector<SwapEntry>* kept_dense = nullptr);

}  // namespace twofour::nn
