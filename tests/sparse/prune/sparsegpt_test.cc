#include "twofour/sparse/prune/sparsegpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/cholesky.h"
#include "twofour/core/error.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/output_error.h"
#include "twofour/sparse/scores/weight_scores.h"

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
using test::ScopedNumThreads;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The same in double and without factors, for masks that are given: each column's error is spread by the inverse of
/// what is left of the dampened Gram matrix (optimal brain surgery on the columns that are still free).
Tensor PruneColumnByColumn(const Tensor& weight, const Tensor& gram, double dampening, const Mask& mask) {
  const int64_t rows = weight.dim(0), n = weight.dim(1);
  std::vector<double> w(static_cast<size_t>(rows * n));
  for (int64_t i = 0; i < rows * n; ++i) w[static_cast<size_t>(i)] = weight.data<float>()[i];
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) mean += gram.data<double>()[i * (n + 1)] / static_cast<double>(n);
  for (int64_t col = 0; col < n; ++col) {
    const int64_t left = n - col;
    Tensor rest = Tensor::Empty({left, left}, DType::kF64);
    for (int64_t i = 0; i < left; ++i) {
      for (int64_t j = 0; j < left; ++j) {
        rest.mutable_data<double>()[i * left + j] =
            gram.data<double>()[(col + i) * n + col + j] + (i == j ? dampening * mean : 0);
      }
    }
    const Tensor inverse = *InverseOfPositive(rest);
    const double* const first = inverse.data<double>();
    for (int64_t row = 0; row < rows; ++row) {
      if (mask.Keeps(row, col)) continue;
      const double error = w[static_cast<size_t>(row * n + col)] / first[0];
      for (int64_t k = 0; k < left; ++k) w[static_cast<size_t>(row * n + col + k)] -= error * first[k];
      w[static_cast<size_t>(row * n + col)] = 0;
    }
  }
  Tensor result = Tensor::Empty(weight.shape());
  for (int64_t i = 0; i < rows * n; ++i) {
    result.mutable_data<float>()[i] = static_cast<float>(w[static_cast<size_t>(i)]);
  }
  return result;
}

TEST(SparseGptTest, SpreadsErrorsAsSurgeryColumnByColumnDoes) {
  for (const char* const pattern : {"2:4", "3:8", "2:7", "transposable:2:4", "8:2:8", "rows:8:2:6", "unstructured:0.5",
                                    "unstructured:0.6:row", "block:4x3:0.5"}) {
    for (const int64_t block : {1, 8, 24, 128}) {
      SCOPED_TRACE(std::string(pattern) + " " + std::to_string(block));
      const LayerToPrune layer(12, 70, 200, 1);
      const PrunedWeight pruned =
          SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf(pattern), .block = block}, "w");
      ExpectClose(pruned.weight, PruneColumnByColumn(layer.weight, layer.statistics.Gram(), 0.01, pruned.mask), 1e-3,
                  1e-3);
      ExpectBitEqual(pruned.weight, ApplyMask(pruned.weight, pruned.mask));
      EXPECT_TRUE(pruned.notes.empty());
    }
  }
}

/// The mask of a group follows from the weights as they are when its first column is reached.
TEST(SparseGptTest, FindsMasksAlongTheWay) {
  const LayerToPrune layer(9, 24, 100, 2);
  const SparseGptOptions options{.pattern = PatternOf("2:4"), .block = 8};
  const PrunedWeight pruned = SparseGpt(layer.weight, layer.statistics.Gram(), options);
  const Tensor u = *CholeskyOfInverse([&] {
    Tensor gram = layer.statistics.Gram().Clone();
    double mean = 0;
    for (int64_t i = 0; i < 24; ++i) mean += gram.data<double>()[i * 25] / 24;
    for (int64_t i = 0; i < 24; ++i) gram.mutable_data<double>()[i * 25] += 0.01 * mean;
    return gram;
  }());
  for (int64_t group = 0; group < 24; group += 4) {
    // What the columns before the group do to it, with masks as they are.

    Tensor kept = pruned.mask.ToTensor();
    for (int64_t i = 0; i < 9 * 24; ++i) kept.mutable_data<bool>()[i] = i % 24 >= group || kept.data<bool>()[i];
    const Tensor then = PruneColumnByColumn(layer.weight, layer.statistics.Gram(), 0.01, Mask::FromTensor(kept));
    for (int64_t row = 0; row < 9; ++row) {
      std::vector<std::pair<double, int64_t>> scores;
      for (int64_t col = group; col < group + 4; ++col) {
        const double root = static_cast<double>(then.data<float>()[row * 24 + col]) / u.data<double>()[col * 25];
        scores.emplace_back(-root * root, col);
      }
      std::ranges::sort(scores);
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(pruned.mask.Keeps(row, scores[i].second), i < 2) << group << ", " << row;
    }
  }
}

/// How many blocks of a mask have kept entries.
int64_t CountKeptBlocks(const Mask& mask, int64_t block_rows, int64_t block_cols) {
  std::set<std::pair<int64_t, int64_t>> kept;
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t col = 0; col < mask.cols(); ++col) {
      if (mask.Keeps(row, col)) kept.emplace(row / block_rows, col / block_cols);
    }
  }
  return std::ssize(kept);
}

TEST(SparseGptTest, SpendsABudgetAsASearchOverAllColumnsDoes) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{16, 128}, {48, 100}, {5, 37}}) {
    const LayerToPrune layer(rows, cols, 200, 7);
    for (const char* const text : {"unstructured:0.3", "unstructured:0.37:row", "unstructured:0.5:row",
                                   "unstructured:0.93", "block:16x16:0.5", "block:16x16:0.3", "block:4x3:0.37"}) {
      const PruningPattern pattern = PatternOf(text);
      const Mask expected = FindMaskOf(layer.weight, pattern);
      for (const int64_t block : {1, 3, 8, 20, 128}) {
        SCOPED_TRACE(std::string(text) + " of " + std::to_string(cols) + ", " + std::to_string(block) + " at a time");
        const Mask mask = SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = pattern, .block = block}).mask;
        if (pattern.format.kind == MaskFormat::Kind::kBlocks) {
          const int down = pattern.format.block_rows, across = pattern.format.block_cols;
          EXPECT_EQ(CountKeptBlocks(mask, down, across), CountKeptBlocks(expected, down, across));
          continue;
        }
        EXPECT_EQ(mask.CountKept(), expected.CountKept());
        for (int64_t row = 0; row < rows && pattern.scope == PruningScope::kRow; ++row) {
          int64_t more = 0;
          for (int64_t col = 0; col < cols; ++col) more += mask.Keeps(row, col) - expected.Keeps(row, col);
          EXPECT_EQ(more, 0) << row;
        }
      }
    }
  }
}

TEST(SparseGptTest, KeepsOutputsBetterThanWandaAndWandaBetterThanMagnitude) {
  int wanda_better = 0, sparsegpt_better = 0;
  constexpr int kLayers = 20;
  for (uint64_t seed = 0; seed < kLayers; ++seed) {
    const LayerToPrune layer(32, 64, 300, seed);
    const Tensor& gram = layer.statistics.Gram();
    const auto masked = [&](MaskScore score) {
      const Tensor scores = ScoresOf(score, layer.weight, {.inputs = &layer.statistics});
      return OutputError(layer.weight, ApplyMask(layer.weight, FindMaskOf(scores, PatternOf("2:4"))), gram);
    };
    const double magnitude = masked(MaskScore::kMagnitude), wanda = masked(MaskScore::kWanda);
    const double sparsegpt =
        OutputError(layer.weight, SparseGpt(layer.weight, gram, {.pattern = PatternOf("2:4")}).weight, gram);
    wanda_better += wanda <= magnitude;
    sparsegpt_better += sparsegpt <= wanda;
  }
  EXPECT_GE(wanda_better, kLayers * 9 / 10);
  EXPECT_EQ(sparsegpt_better, kLayers);
}

TEST(SparseGptTest, WeightsOfDeadFeaturesGo) {
  LayerToPrune layer(4, 16, 50, 3);
  layer.Kill(5);
  const PrunedWeight pruned = SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf("2:4")}, "fc");
  for (int64_t row = 0; row < 4; ++row) EXPECT_EQ(pruned.weight.data<float>()[row * 16 + 5], 0.0f);
  EXPECT_THAT(pruned.notes, ElementsAre("fc: 1 of its 16 input features is always 0 in the calibration data; its "
                                        "weights count for nothing"));
}

TEST(SparseGptTest, TheUnitOfTheInputsDoesNotMatter) {
  ExpectTheSameInAnyUnit([](const LayerToPrune& layer) {
    return SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf("2:4"), .dampening = 0.1});
  });
}

TEST(SparseGptTest, TakesWeightsAndInputsOfAnySize) {
  for (const char* const pattern : {"2:4", "transposable:2:4", "transposable:1:4", "8:2:8", "rows:8:2:6",
                                    "unstructured:0.5", "unstructured:0.5:row", "block:4x4:0.5"}) {
    SCOPED_TRACE(pattern);
    ExpectTheSameInUnitsOfTwo([&](const LayerToPrune& layer) {
      return SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf(pattern)});
    });
  }
}

TEST(SparseGptTest, SaysWhatGrowsBeyondAFloat) {
  LayerToPrune layer(12, 24, 200, 9);
  for (int64_t i = 0; i < layer.weight.numel(); ++i) layer.weight.mutable_data<float>()[i] *= 3e38f;
  EXPECT_ERROR(SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf("2:4")}, "fc"),
               ErrorKind::kRuntimeFailure, HasSubstr("fc: scores of column "));
}

TEST(SparseGptTest, RaisesTheDampeningWhereItMustAndSaysSo) {
  const LayerToPrune layer(4, 16, 3, 4);  // Three samples: the Gram matrix has rank 3.
  const PrunedWeight usual = SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf("2:4")}, "fc");
  EXPECT_TRUE(usual.notes.empty());
  Tensor gram = layer.statistics.Gram().Clone();
  gram.mutable_data<double>()[16 * 16 - 1] -= 0.05 * gram.data<double>()[16 * 16 - 1];  // Below what can be.
  const PrunedWeight pruned = SparseGpt(layer.weight, gram, {.pattern = PatternOf("2:4"), .dampening = 1e-4}, "fc");
  ASSERT_EQ(pruned.notes.size(), 1u);
  EXPECT_THAT(pruned.notes[0], HasSubstr("fc: the inputs' Gram matrix is not positive definite with a dampening of "
                                         "0.0001; it was raised to "));
  gram.mutable_data<double>()[0] = -1e9;
  EXPECT_ERROR(SparseGpt(layer.weight, gram, {.pattern = PatternOf("2:4")}, "fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: the inputs' Gram matrix cannot be factored"));
}

TEST(SparseGptTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const LayerToPrune layer(130, 90, 200, 5);
  for (const char* const pattern : {"2:4", "64:2:8", "unstructured:0.5"}) {
    Tensor expected;
    for (const int threads : {1, 2, 5}) {
      const ScopedNumThreads scope(threads);
      const PrunedWeight pruned =
          SparseGpt(layer.weight, layer.statistics.Gram(), {.pattern = PatternOf(pattern), .block = 32});
      if (threads == 1) expected = pruned.weight;
      ExpectBitEqual(pruned.weight, expected);
    }
  }
}

TEST(SparseGptTest, RefusesWhatItCannotPrune) {
  const LayerToPrune layer(4, 8, 20, 6);
  const Tensor& gram = layer.statistics.Gram();
  EXPECT_ERROR(SparseGpt(Tensor::Zeros({4, 7}), gram, {}, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: a weight of shape [4, 7] and a Gram matrix of shape [8, 8]"));
  EXPECT_ERROR(SparseGpt(layer.weight, gram, {.pattern = PatternOf("unstructured:0.5:model")}),
               ErrorKind::kInvalidInput, HasSubstr("a scope within one weight"));
  for (const double dampening : {-1.0, 1001.0}) {
    EXPECT_ERROR(SparseGpt(layer.weight, gram, {.dampening = dampening}), ErrorKind::kInvalidInput,
                 HasSubstr("dampening is " + std::to_string(static_cast<int>(dampening)) + ", expected 0 to 1000"));
  }
  EXPECT_ERROR(SparseGpt(Tensor::Zeros({0, 8}), gram, {}, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: shape [0, 8], expected at least one row and one column"));
  EXPECT_ERROR(SparseGpt(Tensor::Zeros({5, 0}), Tensor::Zeros({0, 0}, DType::kF64), {}, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: shape [5, 0], expected at least one row"));
  EXPECT_ERROR(SparseGpt(layer.weight, gram, {.block = 0}), ErrorKind::kInvalidInput, HasSubstr("block"));
  Tensor bad = layer.weight.Clone();
  bad.mutable_data<float>()[9] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(SparseGpt(bad, gram, {}, "fc"), ErrorKind::kRuntimeFailure, HasSubstr("fc: element [1, 1] is nan"));
}

}  // namespace
}  // namespace twofour::sparse
