#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/rounded_linear.h"

namespace twofour::nn {

/// The last ones of the blocks that have a linear to convert: a seventh of them, rounded up, and none of a single one.
/// NVIDIA's recipe for NVFP4 leaves some 15 % of the linears, mostly the last ones, in bf16 ("Pretraining large
/// language models with NVFP4", 2025).
inline constexpr int64_t kSeventhOfBlocks = -1;

/// Which linears compute from rounded operands, and in which formats.
struct LowPrecisionOptions {
  sparse::LinearFormats formats = {};
  /// As in SwapOptions. By default all but a model's head, whose logits need more. The last linear of an MlpStack is
  /// named as its others are, and no head.
  std::string include = ".*", exclude = R"((.*\.)?(lm_)?head)";
  /// Of the blocks that are numbered in names ("transformer.h.0.mlp.c_fc"), so many at either end stay as they are.
  int64_t first_blocks = 0;
  int64_t last_blocks = 0;  ///< Or kSeventhOfBlocks.
  uint64_t seed = 0;        ///< Of stochastic rounding and of random Hadamard transforms.
};

/// Rules: those of LinearFormats; the regular expressions parse; no number is negative but kSeventhOfBlocks.
void Check(const LowPrecisionOptions& options, const FieldPath& at, Faults& faults);

/// Makes every matching Linear and SemiSparseLinear below `root` compute from rounded operands (sparse::RoundedLinear),
/// whatever mask it has or comes to have; to be called after swaps, which make new modules. Nothing about parameters
/// and buffers changes. In the report, `converted` are those, which may be none, and `kept_dense` all others with the
/// reason. Throws Error on options that Check finds fault with.
SwapReport EmulateLowPrecision(Module& root, const LowPrecisionOptions& options);

}  // namespace twofour::nn
