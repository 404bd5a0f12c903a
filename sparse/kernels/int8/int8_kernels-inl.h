// The rows of the table of int8 kernels for one instruction set. Compiled for each set: see int8_vectors-inl.h.
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/sparse/kernels/int8/int8_product-inl.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_INT8 {
namespace {

/// Columns of which a block of activations stays in the first-level cache, beside sums.
inline constexpr int64_t kBlockCols = 256 * 64 / kBytes;
/// A strip of V:N:M reads a part of a block's columns only.
inline constexpr int64_t kVnmBlockCols = 384 * 64 / kBytes;

std::unique_ptr<Int8PackedWeight> PackStream(const Int8View& weight, const MaskView& mask) {
  AlignedBuffer<float> numbers(weight.rows * weight.cols);
  std::copy_n(weight.values, weight.rows * weight.cols, numbers.data());
  if (mask.vnm.v > 0) {
    const int64_t block_cols = VnmTiles::BlockCols(mask, Direction::kForward, kVnmBlockCols);
    const VnmTiles tiles(numbers.data(), mask, Direction::kForward, block_cols, kPanel);
    return std::make_unique<Int8Stream>(tiles, weight.rows, weight.cols, block_cols, kPanel);
  }
  const TilesAsTheyLie tiles(numbers.data(), mask, Direction::kForward, kBlockCols, kPanel);
  return std::make_unique<Int8Stream>(tiles, weight.rows, weight.cols, kBlockCols, kPanel);
}

std::unique_ptr<Int8PackedWeight> PackQuads(const Int8View& weight, const MaskView& mask) {
  return std::make_unique<Int8Quads>(weight, mask, kBlockCols / 4);
}

Verdict CheckSize(const LinearProblem& problem) {
  if (!TWOFOUR_INT8_SET) return {Rejection::kEmulated};
  return problem.in_features <= kMostInt8Columns ? Verdict{} : Verdict{Rejection::kFormat};
}

Verdict CheckStream(const LinearProblem& problem) {
  const bool vnm = problem.format.kind == MaskFormat::Kind::kVnm;
  if (!vnm && !IsTwoOfFour(problem.format)) return {Rejection::kFormat};
  const Verdict tiled = CheckTiled(problem);
  return tiled.can() ? CheckSize(problem) : tiled;
}

}  // namespace

std::vector<Int8Kernel> Int8KernelsOfSet() {
  const std::string set = TWOFOUR_INT8_SET ? std::string(NameOf(kIsa)) : "emulated";
  const auto row = [&](const char* family, const char* tiling) {
    return Int8Kernel{.name = fmt::format("{}_{}", family, set),
                      .family = family,
                      .isa = kIsa,
                      .tiling = fmt::format("4 rows x 4 vectors of {}, {}, {} columns", kLanes, tiling, kBlockCols),
                      .emulated = !TWOFOUR_INT8_SET,
                      .check = nullptr,
                      .pack = nullptr,
                      .multiply = nullptr};
  };
  Int8Kernel stream = row("int8_pair_bucket", "steps in fours");
  stream.check = CheckStream, stream.pack = PackStream, stream.multiply = MultiplyAny<StreamProduct>;
  Int8Kernel dense = row("int8_dense", "columns in fours");
  dense.check = CheckSize, dense.pack = PackQuads, dense.multiply = MultiplyAny<QuadsProduct>;
  return {stream, dense};
}

}  // namespace twofour::sparse::TWOFOUR_INT8
