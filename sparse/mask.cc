#include "twofour/sparse/mask.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/kernels/reduce.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/mask_search.h"

namespace twofour::sparse {
namespace {

void RequireShape(std::string_view what, const Tensor& weight, const Mask& mask) {
  if (weight.shape() != Shape{mask.rows(), mask.cols()}) {
    throw Error(fmt::format("{}: a weight of shape {} and a mask of shape [{}, {}]", what, ToString(weight.shape()),
                            mask.rows(), mask.cols()));
  }
}

void RequireFinite(const Tensor& weight, std::string_view name) {
  const int64_t at = kernels::FindNonFinite(weight.numel(), weight.data<float>());
  if (at < 0) return;
  throw Error(fmt::format("{}: element [{}, {}] is {}, a mask needs finite values", name, at / weight.cols(),
                          at % weight.cols(), weight.data<float>()[at]),
              ErrorKind::kRuntimeFailure);
}

}  // namespace

std::string_view NameOf(MaskAlgorithm algorithm) {
  switch (algorithm) {
    case MaskAlgorithm::kExact:
      return "exact";
    case MaskAlgorithm::kGreedy:
      return "greedy";
  }
  return "?";
}

Mask::Mask(int64_t rows, int64_t cols) : rows_(rows), cols_(cols) {
  if (rows < 0 || cols < 0 || rows % kTileSize != 0 || cols % kTileSize != 0) {
    throw Error(fmt::format("mask: shape [{}, {}], both sizes must be multiples of {}", rows, cols, kTileSize));
  }
  tiles_.resize(static_cast<size_t>(tile_rows() * tile_cols()));
}

Mask Mask::FromTensor(const Tensor& kept) {
  if (!kept.defined() || kept.dtype() != DType::kBool || kept.rank() != 2) {
    throw Error("mask: expected a bool tensor [rows, cols]");
  }
  Mask mask(kept.dim(0), kept.dim(1));
  const uint8_t* entries = kept.data<uint8_t>();
  for (int64_t row = 0; row < mask.rows_; ++row) {
    for (int64_t col = 0; col < mask.cols_; ++col) {
      if (entries[row * mask.cols_ + col] == 0) continue;
      TileMask& tile = mask.tiles_[row / kTileSize * mask.tile_cols() + col / kTileSize];
      tile = static_cast<TileMask>(tile | 1u << (row % kTileSize * kTileSize + col % kTileSize));
    }
  }
  constexpr TileMask kFirstRow = 0x000F, kFirstCol = 0x1111;
  for (size_t i = 0; i < mask.tiles_.size(); ++i) {
    for (int line = 0; line < kTileSize; ++line) {
      if (std::popcount<TileMask>(mask.tiles_[i] & static_cast<TileMask>(kFirstRow << (kTileSize * line))) > 2 ||
          std::popcount<TileMask>(mask.tiles_[i] & static_cast<TileMask>(kFirstCol << line)) > 2) {
        throw Error(fmt::format("mask: tile [{}, {}] keeps more than two of four in a row or column",
                                static_cast<int64_t>(i) / mask.tile_cols(),
                                static_cast<int64_t>(i) % mask.tile_cols()));
      }
    }
  }
  return mask;
}

bool Mask::Keeps(int64_t row, int64_t col) const {
  return sparse::Keeps(tile(row / kTileSize, col / kTileSize), static_cast<int>(row % kTileSize),
                       static_cast<int>(col % kTileSize));
}

int64_t Mask::CountKept() const {
  int64_t count = 0;
  for (TileMask tile : tiles_) count += sparse::CountKept(tile);
  return count;
}

Tensor Mask::ToTensor() const {
  Tensor kept = Tensor::Empty({rows_, cols_}, DType::kBool);
  uint8_t* out = kept.mutable_data<uint8_t>();
  for (int64_t row = 0; row < rows_; ++row) {
    for (int64_t col = 0; col < cols_; ++col) out[row * cols_ + col] = Keeps(row, col) ? 1 : 0;
  }
  return kept;
}

Mask FindMask(const Tensor& weight, MaskAlgorithm algorithm, std::string_view name) {
  if (weight.rank() != 2) {
    throw Error(fmt::format("{}: shape {}, a mask needs [rows, cols]", name, ToString(weight.shape())));
  }
  Mask mask(weight.dim(0), weight.dim(1));
  RequireFinite(weight, name);
  const MaskSearchKernel& kernel = ChooseMaskSearchKernel(algorithm);
  const float* w = weight.data<float>();
  ParallelFor(mask.tile_rows(), RowGrain(mask.cols() * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      kernel.search(w + row * kTileSize * mask.cols(), mask.cols(), mask.tiles() + row * mask.tile_cols());
    }
  });
  return mask;
}

void ApplyMask(const float* weight, const Mask& mask, float* masked) {
  ParallelFor(mask.rows(), RowGrain(mask.cols()), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < mask.cols(); ++col) {
        const int64_t at = row * mask.cols() + col;
        masked[at] = mask.Keeps(row, col) ? weight[at] : 0.0f;
      }
    }
  });
}

Tensor ApplyMask(const Tensor& weight, const Mask& mask) {
  RequireShape("ApplyMask", weight, mask);
  Tensor masked = Tensor::Empty(weight.shape());
  ApplyMask(weight.data<float>(), mask, masked.mutable_data<float>());
  return masked;
}

double RetainedL1(const Tensor& weight, const Mask& mask) {
  RequireShape("RetainedL1", weight, mask);
  const float* w = weight.data<float>();
  double kept = 0, all = 0;
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t col = 0; col < mask.cols(); ++col) {
      const double magnitude = std::fabs(static_cast<double>(w[row * mask.cols() + col]));
      all += magnitude;
      if (mask.Keeps(row, col)) kept += magnitude;
    }
  }
  return all == 0 ? 1.0 : kept / all;
}

double FlipRate(const Mask& before, const Mask& after) {
  if (before.rows() != after.rows() || before.cols() != after.cols()) {
    throw Error(fmt::format("FlipRate: masks of shape [{}, {}] and [{}, {}]", before.rows(), before.cols(),
                            after.rows(), after.cols()));
  }
  const int64_t count = before.tile_rows() * before.tile_cols();
  if (count == 0) return 0;
  int64_t flips = 0;
  for (int64_t i = 0; i < count; ++i) {
    flips += std::popcount(static_cast<TileMask>(before.tiles()[i] ^ after.tiles()[i]));
  }
  return static_cast<double>(flips) / static_cast<double>(count * kTileSize * kTileSize);
}

}  // namespace twofour::sparse
