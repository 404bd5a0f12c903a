#include "twofour/sparse/prune/alps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/cholesky.h"
#include "twofour/core/error.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/pattern.h"
#include "twofour/sparse/prune/output_error.h"
#include "twofour/sparse/prune/refit.h"
#include "twofour/sparse/prune/sparsegpt.h"
#include "twofour/sparse/tile_mask.h"

#include "tests/sparse/patterns.h"
#include "tests/sparse/prune/layers_to_prune.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::ExpectTheSameInAnyUnit;
using test::ExpectTheSameInUnitsOfTwo;
using test::LayerToPrune;
using test::PatternOf;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

/// The least-squares fit of the kept weights of a row, by the normal equations in double.
std::vector<double> FitRow(const float* w, const std::vector<int64_t>& kept, const Tensor& gram) {
  const int64_t n = gram.dim(0), count = std::ssize(kept);
  const double* const h = gram.data<double>();
  Tensor normal = Tensor::Empty({count, count}, DType::kF64);
  std::vector<double> right(kept.size()), fitted(static_cast<size_t>(n));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = kept[static_cast<size_t>(i)];
    for (int64_t j = 0; j < count; ++j) {
      normal.mutable_data<double>()[i * count + j] = h[row * n + kept[static_cast<size_t>(j)]];
    }
    for (int64_t j = 0; j < n; ++j) right[static_cast<size_t>(i)] += h[row * n + j] * static_cast<double>(w[j]);
  }
  const Tensor inverse = *InverseOfPositive(normal);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < count; ++j) {
      fitted[static_cast<size_t>(kept[static_cast<size_t>(i)])] +=
          inverse.data<double>()[i * count + j] * right[static_cast<size_t>(j)];
    }
  }
  return fitted;
}

Tensor Fit(const Tensor& weight, const Mask& mask, const Tensor& gram) {
  Tensor fitted = Tensor::Zeros(weight.shape());
  for (int64_t row = 0; row < weight.dim(0); ++row) {
    std::vector<int64_t> kept;
    for (int64_t col = 0; col < weight.dim(1); ++col) {
      if (mask.Keeps(row, col)) kept.push_back(col);
    }
    const std::vector<double> values = FitRow(weight.data<float>() + row * weight.dim(1), kept, gram);
    for (int64_t col = 0; col < weight.dim(1); ++col) {
      fitted.mutable_data<float>()[row * weight.dim(1) + col] = static_cast<float>(values[static_cast<size_t>(col)]);
    }
  }
  return fitted;
}

TEST(RefitKeptTest, ComesToTheLeastSquares) {
  const LayerToPrune layer(6, 20, 100, 1);
  const Tensor& gram = layer.statistics.Gram();
  const Mask mask = FindMaskOf(layer.weight, PatternOf("2:4"));
  const Tensor start = ApplyMask(layer.weight, mask), best = Fit(layer.weight, mask, gram);
  ExpectClose(RefitKept(layer.weight, start, mask, gram, 60), best, 1e-3, 1e-3);
  double last = OutputError(layer.weight, start, gram);
  for (const int64_t steps : {0, 1, 2, 5, 10}) {
    const Tensor refitted = RefitKept(layer.weight, start, mask, gram, steps);
    ExpectBitEqual(refitted, ApplyMask(refitted, mask));
    const double error = OutputError(layer.weight, refitted, gram);
    EXPECT_LE(error, last * (1 + 1e-6)) << steps;
    EXPECT_GE(error, OutputError(layer.weight, best, gram) * (1 - 1e-4));
    last = error;
  }
  EXPECT_LT(last, 1.01 * OutputError(layer.weight, best, gram));
}

/// Features that differ from a common cause by little, so that the condition of H is above 1e8.
TEST(RefitKeptTest, NeverRaisesTheErrorWhereInputsAreNearlyDependent) {
  const int64_t n = 20, samples = 200;
  const Tensor cause = RandomF32({samples, 1}, {.seed = 1}), noise = RandomF32({samples, n}, {.seed = 2});
  Tensor x = Tensor::Empty({samples, n});
  for (int64_t i = 0; i < samples * n; ++i) {
    x.mutable_data<float>()[i] = cause.data<float>()[i / n] + 1e-4f * noise.data<float>()[i];
  }
  InputStatistics statistics(n, LayerToPrune::kGram);
  statistics.Add(x, "x");
  const Tensor& gram = statistics.Gram();
  const Tensor weight = RandomF32({6, n}, {.seed = 3});
  const Mask mask = FindMaskOf(weight, PatternOf("2:4"));
  const Tensor start = ApplyMask(weight, mask);
  const double best = OutputError(weight, Fit(weight, mask, gram), gram);
  double last = OutputError(weight, start, gram);
  EXPECT_GT(last, 100 * best);
  for (const int64_t steps : {0, 1, 5, 20, 200}) {
    const Tensor refitted = RefitKept(weight, start, mask, gram, steps);
    const double error = OutputError(weight, refitted, gram);
    EXPECT_LE(error, last) << steps;
    ExpectBitEqual(refitted, ApplyMask(refitted, mask));
    last = error;
  }
  EXPECT_LT(last, 1.01 * best);
  // Without a step, and from the dense weight, there is nothing to gain.
  ExpectBitEqual(RefitKept(weight, start, mask, gram, 0), start);
  ExpectBitEqual(RefitKept(start, start, mask, gram, 200), start);
}

TEST(RefitKeptTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const LayerToPrune layer(300, 40, 100, 2);  // More rows than are fitted at a time.
  const Mask mask = FindMaskOf(layer.weight, PatternOf("2:4"));
  Tensor expected;
  for (const int threads : {1, 3}) {
    const ScopedNumThreads scope(threads);
    const Tensor refitted = RefitKept(layer.weight, ApplyMask(layer.weight, mask), mask, layer.statistics.Gram(), 5);
    if (threads == 1) expected = refitted;
    ExpectBitEqual(refitted, expected);
  }
}

/// One row of eight weights has 36 masks of 2:4 that keep all they may.
TEST(AlpsTest, ComesNearTheBestOfAllMasks) {
  double found = 0, best_of_all = 0, sparsegpt = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const LayerToPrune layer(1, 8, 60, seed);
    const Tensor& gram = layer.statistics.Gram();
    double best = std::numeric_limits<double>::infinity();
    for (uint32_t kept = 0; kept < 256; ++kept) {
      if (std::popcount(kept & 15u) != 2 || std::popcount(kept >> 4) != 2) continue;
      Tensor entries = Tensor::Empty({1, 8}, DType::kBool);
      for (int64_t i = 0; i < 8; ++i) entries.mutable_data<bool>()[i] = kept >> i & 1;
      best = std::min(best, OutputError(layer.weight, Fit(layer.weight, Mask::FromTensor(entries), gram), gram));
    }
    const double error =
        OutputError(layer.weight, Alps(layer.weight, gram, {.pattern = PatternOf("2:4")}).weight, gram);
    EXPECT_GE(error, best * (1 - 1e-4));
    found += error;
    best_of_all += best;
    sparsegpt += OutputError(layer.weight, SparseGpt(layer.weight, gram, {.pattern = PatternOf("2:4")}).weight, gram);
  }
  EXPECT_LT(found, 1.25 * best_of_all);
  EXPECT_GT(sparsegpt, found);
}

/// ||X W^T||^2.
double SquaredNorm(const Tensor& weight, const Tensor& gram) {
  const int64_t n = gram.dim(0);
  double sum = 0;
  for (int64_t row = 0; row < weight.dim(0); ++row) {
    const float* const w = weight.data<float>() + row * n;
    for (int64_t i = 0; i < n * n; ++i) {
      sum += static_cast<double>(w[i / n]) * gram.data<double>()[i] * static_cast<double>(w[i % n]);
    }
  }
  return sum;
}

/// The squared error of each row for each pair of columns that it can keep in each of two groups of four.
std::vector<std::array<double, 256>> ErrorsOfRows(const LayerToPrune& layer) {
  const Tensor& gram = layer.statistics.Gram();
  std::vector<std::array<double, 256>> errors(static_cast<size_t>(layer.weight.dim(0)));
  for (size_t row = 0; row < errors.size(); ++row) {
    const float* const w = layer.weight.data<float>() + row * 8;
    for (uint32_t kept = 0; kept < 256; ++kept) {
      if (std::popcount(kept & 15u) != 2 || std::popcount(kept >> 4) != 2) continue;
      std::vector<int64_t> columns;
      for (int64_t i = 0; i < 8; ++i) {
        if (kept >> i & 1) columns.push_back(i);
      }
      const std::vector<double> fitted = FitRow(w, columns, gram);
      double error = 0;
      for (size_t i = 0; i < 64; ++i) {
        error += (static_cast<double>(w[i / 8]) - fitted[i / 8]) * gram.data<double>()[i] *
                 (static_cast<double>(w[i % 8]) - fitted[i % 8]);
      }
      errors[row][kept] = error;
    }
  }
  return errors;
}

/// Four rows of eight weights have 90 * 90 transposable masks.
TEST(AlpsTest, ComesNearTheBestOfAllTransposableMasks) {
  double found = 0, best_of_all = 0, sparsegpt = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const LayerToPrune layer(4, 8, 60, seed);
    const Tensor& gram = layer.statistics.Gram();
    const std::vector<std::array<double, 256>> errors = ErrorsOfRows(layer);
    double best = std::numeric_limits<double>::infinity();
    for (const TileMask left : TransposableMasks()) {
      for (const TileMask right : TransposableMasks()) {
        double error = 0;
        for (size_t row = 0; row < 4; ++row) {
          error += errors[row][(left >> (4 * row) & 15u) | (right >> (4 * row) & 15u) << 4];
        }
        best = std::min(best, error);
      }
    }
    best = std::sqrt(best / SquaredNorm(layer.weight, gram));
    const PruningPattern pattern = PatternOf("transposable:2:4");
    const double error = OutputError(layer.weight, Alps(layer.weight, gram, {.pattern = pattern}).weight, gram);
    EXPECT_GE(error, best * (1 - 1e-4));
    found += error;
    best_of_all += best;
    sparsegpt += OutputError(layer.weight, SparseGpt(layer.weight, gram, {.pattern = pattern}).weight, gram);
  }
  EXPECT_LT(found, 1.25 * best_of_all);
  EXPECT_GT(sparsegpt, found);
}

/// Features that are sums of a few causes and some noise, like the inputs of attention.
TEST(AlpsTest, BeginsWithAPenaltyThatLeavesWeightsFree) {
  for (const char* const pattern : {"2:4", "4:8", "transposable:2:4", "8:2:8", "unstructured:0.5", "block:4x4:0.5"}) {
    SCOPED_TRACE(pattern);
    double now = 0, of_paper = 0;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const int64_t n = 64, causes = 16, samples = 300;
      const Tensor mix = RandomF32({causes, n}, {.seed = seed, .stream = 1});
      const Tensor cause = RandomF32({samples, causes}, {.seed = seed, .stream = 2});
      const Tensor noise = RandomF32({samples, n}, {.seed = seed, .stream = 3});
      Tensor x = Tensor::Empty({samples, n});
      for (int64_t i = 0; i < samples * n; ++i) {
        float sum = 0.1f * noise.data<float>()[i];
        for (int64_t c = 0; c < causes; ++c) {
          sum += cause.data<float>()[i / n * causes + c] * mix.data<float>()[c * n + i % n];
        }
        x.mutable_data<float>()[i] = sum;
      }
      InputStatistics statistics(n, LayerToPrune::kGram);
      statistics.Add(x, "x");
      const Tensor& gram = statistics.Gram();
      const Tensor weight = RandomF32({32, n}, {.seed = seed});
      const auto error = [&](const AlpsOptions& options) {
        return OutputError(weight, Alps(weight, gram, options).weight, gram);
      };
      now += error({.pattern = PatternOf(pattern)});
      of_paper += error({.pattern = PatternOf(pattern), .rho = 0.1});
    }
    EXPECT_LT(now, 0.95 * of_paper);
  }
}

TEST(AlpsTest, LosesLessThanSparseGpt) {
  for (const char* const pattern : {"2:4", "4:8", "transposable:2:4", "8:2:8", "unstructured:0.5", "block:4x4:0.5"}) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      SCOPED_TRACE(std::string(pattern) + " " + std::to_string(seed));
      const LayerToPrune layer(32, 64, 300, seed);
      const Tensor& gram = layer.statistics.Gram();
      const PrunedWeight pruned = Alps(layer.weight, gram, {.pattern = PatternOf(pattern)});
      const double sparsegpt =
          OutputError(layer.weight, SparseGpt(layer.weight, gram, {.pattern = PatternOf(pattern)}).weight, gram);
      EXPECT_LT(OutputError(layer.weight, pruned.weight, gram), sparsegpt);
      ExpectBitEqual(pruned.weight, ApplyMask(pruned.weight, pruned.mask));
    }
  }
}

TEST(AlpsTest, MasksFitTheirPattern) {
  const LayerToPrune layer(20, 26, 100, 7);  // Sizes that no tile, block or group divides.
  const Tensor& gram = layer.statistics.Gram();
  EXPECT_FALSE(FindPatternViolation(Alps(layer.weight, gram, {.pattern = PatternOf("transposable:2:4")}).weight,
                                    PatternAxis::kBoth));
  EXPECT_FALSE(
      FindPatternViolation(Alps(layer.weight, gram, {.pattern = PatternOf("2:4")}).weight, PatternAxis::kRows));
  const PrunedWeight half = Alps(layer.weight, gram, {.pattern = PatternOf("unstructured:0.5")});
  EXPECT_EQ(half.mask.CountKept(), 260);
}

/// Where two features of a tile are dead, several masks keep the same of the others, and rounding decides between them.
TEST(AlpsTest, StopsAlthoughMasksOfDeadFeaturesChange) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    LayerToPrune layer(64, 64, 300, seed);
    for (int64_t feature = 0; feature < 64; feature += 4) {
      layer.Kill(feature);
      layer.Kill(feature + 1);
    }
    const Tensor& gram = layer.statistics.Gram();
    const auto prune = [&](int64_t iterations) {
      return Alps(layer.weight, gram, {.pattern = PatternOf("transposable:2:4"), .iterations = iterations});
    };
    const PrunedWeight pruned = prune(150), more = prune(600);
    ExpectBitEqual(pruned.weight, more.weight);
    EXPECT_EQ(pruned.mask, more.mask);
  }
}

TEST(AlpsTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const LayerToPrune layer(70, 40, 100, 8);
  Tensor expected;
  for (const int threads : {1, 2, 5}) {
    const ScopedNumThreads scope(threads);
    const PrunedWeight pruned = Alps(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf("transposable:2:4")});
    if (threads == 1) expected = pruned.weight;
    ExpectBitEqual(pruned.weight, expected);
  }
}

TEST(AlpsTest, TheUnitOfTheInputsDoesNotMatter) {
  ExpectTheSameInAnyUnit([](const LayerToPrune& layer) {
    return Alps(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf("2:4")});
  });
}

TEST(AlpsTest, TakesWeightsAndInputsOfAnySize) {
  for (const char* const pattern : {"2:4", "transposable:2:4", "8:2:8", "unstructured:0.5", "block:4x4:0.5"}) {
    SCOPED_TRACE(pattern);
    ExpectTheSameInUnitsOfTwo([&](const LayerToPrune& layer) {
      return Alps(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf(pattern)});
    });
  }
}

TEST(AlpsTest, RefusesWhatItCannotPrune) {
  const LayerToPrune layer(4, 8, 20, 6);
  const Tensor& gram = layer.statistics.Gram();
  EXPECT_ERROR(Alps(Tensor::Zeros({4, 7}), gram, {}, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: a weight of shape [4, 7] and a Gram matrix of shape [8, 8]"));
  EXPECT_ERROR(Alps(layer.weight, gram, {.pattern = PatternOf("unstructured:0.5:model")}), ErrorKind::kInvalidInput,
               HasSubstr("a scope within one weight"));
  EXPECT_ERROR(Alps(layer.weight, gram, {.dampening = 2000}), ErrorKind::kInvalidInput,
               HasSubstr("dampening is 2000, expected 0 to 1000"));
  for (const double rho : {0.0, 1e-60, 2e6, 1e300}) {
    EXPECT_ERROR(Alps(layer.weight, gram, {.rho = rho}), ErrorKind::kInvalidInput, HasSubstr("rho is "));
  }
  EXPECT_ERROR(Alps(Tensor::Zeros({0, 8}), gram, {}, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: shape [0, 8], expected at least one row and one column"));
  Tensor bad = layer.weight.Clone();
  bad.mutable_data<float>()[9] = std::numeric_limits<float>::infinity();
  EXPECT_ERROR(Alps(bad, gram, {}, "fc"), ErrorKind::kRuntimeFailure, HasSubstr("fc: element [1, 1] is inf"));
}

}  // namespace
}  // namespace twofour::sparse
