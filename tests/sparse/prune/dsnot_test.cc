#include "twofour/sparse/prune/dsnot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/scores/weight_scores.h"

#include "tests/sparse/patterns.h"
#include "tests/sparse/prune/layers_to_prune.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::LayerToPrune;
using test::PatternOf;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

Mask WandaMask(const LayerToPrune& layer, const PruningPattern& pattern) {
  return FindMaskOf(ScoresOf(MaskScore::kWanda, layer.weight, {.inputs = &layer.statistics}), pattern);
}

/// The expected output that a row loses.
double RowError(const LayerToPrune& layer, const Mask& mask, int64_t row) {
  const Tensor means = layer.statistics.Means();
  double error = 0;
  for (int64_t col = 0; col < mask.cols(); ++col) {
    const double part =
        static_cast<double>(layer.weight.data<float>()[row * mask.cols() + col]) * means.data<double>()[col];
    error += mask.Keeps(row, col) ? 0 : part;
  }
  return std::fabs(error);
}

/// Features 0 to 3 have means 1, 1, 1 and -1 and equal spreads.
TEST(DsnotTest, MakesTheExchangeThatLowersTheErrorMost) {
  InputStatistics inputs(4, InputStatistics::Extent::kFeatures);
  inputs.Add(F32({2, 2, 2, 0, 0, 0, 0, -2}, {2, 4}), "x");
  const Tensor weight = F32({3, 4, 8, 6}, {1, 4});
  // Dropped are 3 and 4: the error is 7. 4 comes back and 6 goes, as its loss is worth -6: 3 - 6 = -3 is less than 7.
  const Mask before = FindMaskOf(F32({0, 0, 1, 1}, {1, 4}), PatternOf("2:4"));
  const PrunedWeight pruned =
      Dsnot(weight, before, inputs, {.pattern = PatternOf("2:4"), .exchanges = 1, .variance_power = 1});
  ExpectBitEqual(pruned.weight, F32({0, 4, 8, 0}, {1, 4}));
  // With a threshold above the error, nothing happens.
  ExpectBitEqual(Dsnot(weight, before, inputs, {.pattern = PatternOf("2:4"), .threshold = 8}).weight,
                 F32({0, 0, 8, 6}, {1, 4}));
}

TEST(DsnotTest, LowersErrorsOfRowsAndKeepsCounts) {
  for (const char* const text : {"2:4", "4:8", "unstructured:0.5:row", "unstructured:0.5"}) {
    SCOPED_TRACE(text);
    const PruningPattern pattern = PatternOf(text);
    double before = 0, after = 0;
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const LayerToPrune layer(16, 64, 200, seed);
      const Mask mask = WandaMask(layer, pattern);
      const PrunedWeight pruned = Dsnot(layer.weight, mask, layer.statistics, {.pattern = pattern});
      ExpectBitEqual(pruned.weight, ApplyMask(layer.weight, pruned.mask));
      for (int64_t row = 0; row < 16; ++row) {
        EXPECT_LE(RowError(layer, pruned.mask, row), RowError(layer, mask, row) + 1e-9);
        before += RowError(layer, mask, row);
        after += RowError(layer, pruned.mask, row);
        for (int64_t group = 0; group < 64; group += 8) {
          int64_t change = 0;
          for (int64_t col = group; col < group + 8; ++col)
            change += pruned.mask.Keeps(row, col) - mask.Keeps(row, col);
          if (!pattern.has_budget()) {
            EXPECT_EQ(change, 0);
          }
        }
      }
      EXPECT_EQ(pruned.mask.CountKept(), mask.CountKept());
    }
    EXPECT_LT(after, 0.6 * before);
  }
}

TEST(DsnotTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const LayerToPrune layer(300, 64, 100, 1);
  const PruningPattern pattern = PatternOf("2:4");
  Tensor expected;
  for (const int threads : {1, 5}) {
    const ScopedNumThreads scope(threads);
    const PrunedWeight pruned = Dsnot(layer.weight, WandaMask(layer, pattern), layer.statistics, {.pattern = pattern});
    if (threads == 1) expected = pruned.weight;
    ExpectBitEqual(pruned.weight, expected);
  }
}

TEST(DsnotTest, RefusesPatternsThatTieRowsTogether) {
  const LayerToPrune layer(4, 8, 20, 1);
  const Mask mask = FindMaskOf(layer.weight, PatternOf("2:4"));
  for (const char* const pattern : {"transposable:2:4", "64:2:8", "block:4x4:0.5", "unstructured:0.5:model"}) {
    EXPECT_ERROR(Dsnot(layer.weight, mask, layer.statistics, {.pattern = PatternOf(pattern)}), ErrorKind::kInvalidInput,
                 HasSubstr("DSnoT exchanges weights of one row"));
  }
  EXPECT_ERROR(Dsnot(Tensor::Zeros({4, 4}), mask, layer.statistics, {}, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: shape [4, 4]"));
  EXPECT_ERROR(Dsnot(layer.weight, mask, InputStatistics(8, InputStatistics::Extent::kFeatures), {}, "fc"),
               ErrorKind::kInvalidInput, HasSubstr("fc: no samples of its inputs"));
}

}  // namespace
}  // namespace twofour::sparse
