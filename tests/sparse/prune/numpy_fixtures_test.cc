// Compares one-shot pruning with what NumPy makes of the papers' formulas: tests/fixtures/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "twofour/sparse/prune/output_error.h"
#include "twofour/sparse/prune/refit.h"
#include "twofour/sparse/prune/sparsegpt.h"
#include "twofour/sparse/scores/weight_scores.h"

#include "tests/sparse/patterns.h"
#include "tests/support/fixtures.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::PatternOf;

class PruningFixtureTest : public ::testing::Test {
 protected:
  PruningFixtureTest() {
    inputs_.Add(fixture_.Get("x"), "x");
    const Tensor gradients = fixture_.Get("gradients");
    for (int64_t i = 0; i < gradients.dim(0); ++i) {
      Tensor one = Tensor::Empty(weight_.shape());
      std::copy_n(gradients.data<float>() + i * one.numel(), one.numel(), one.mutable_data<float>());
      gradients_.Add(one, "g");
    }
  }

  const test::Fixture fixture_{"pruning"};
  const Tensor weight_ = fixture_.Get("weight");
  InputStatistics inputs_{weight_.dim(1), InputStatistics::Extent::kGram};
  GradientStatistics gradients_{weight_.shape()};
};

TEST_F(PruningFixtureTest, ScoresAreTheFormulas) {
  for (const MaskScore score : MaskScores()) {
    if (score == MaskScore::kRandom) continue;
    SCOPED_TRACE(NameOf(score));
    ExpectClose(ScoresOf(score, weight_, {.inputs = &inputs_, .gradients = &gradients_}),
                fixture_.Get("score." + std::string(NameOf(score))), 1e-5, 1e-6);
  }
}

TEST_F(PruningFixtureTest, SparseGptIsTheAlgorithm) {
  struct Case {
    const char* pattern;
    int64_t block;
  };
  for (const auto& [pattern, block] : {Case{"2:4", 32}, Case{"4:8", 16}, Case{"unstructured:0.5", 8}}) {
    SCOPED_TRACE(pattern);
    const std::string prefix = std::string("sparsegpt.") + pattern;
    const PrunedWeight pruned =
        SparseGpt(weight_, inputs_.Gram(), {.pattern = PatternOf(pattern), .block = block}, "weight");
    ExpectBitEqual(pruned.mask.ToTensor(), fixture_.Get(prefix + ".mask"));
    ExpectClose(pruned.weight, fixture_.Get(prefix + ".weight"), 1e-4, 1e-4);
  }
}

/// Least squares is the lower bound of what a mask can do, and RefitKept comes to it.
TEST_F(PruningFixtureTest, NothingBeatsLeastSquares) {
  Tensor gram = inputs_.Gram().Clone();
  double* const h = gram.mutable_data<double>();
  const int64_t n = gram.dim(0);
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) mean += h[i * n + i] / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) h[i * n + i] += 0.01 * mean;
  for (const std::string pattern : {"2:4", "4:8", "unstructured:0.5"}) {
    SCOPED_TRACE(pattern);
    const Tensor best = fixture_.Get("sparsegpt." + pattern + ".refit");
    const Mask mask = Mask::FromTensor(fixture_.Get("sparsegpt." + pattern + ".mask"));
    const Tensor start = fixture_.Get("sparsegpt." + pattern + ".weight");
    const double least = OutputError(weight_, best, gram);
    EXPECT_GE(OutputError(weight_, start, gram), least);
    EXPECT_NEAR(OutputError(weight_, RefitKept(weight_, start, mask, gram, 60), gram), least, 1e-5);
  }
}

}  // namespace
}  // namespace twofour::sparse
