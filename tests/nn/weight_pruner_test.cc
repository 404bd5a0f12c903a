#include "twofour/nn/weight_pruner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/linear.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// For each method and several patterns, the same as PruneOnce for each of them anew.
TEST(WeightPrunerTest, PrunesAsOftenAsWantedAsPruneOnceDoes) {
  Generator generator(1);
  Linear linear(LinearOptions{.in_features = 12, .out_features = 8}, generator);
  const Tensor dense = linear.weight().Detach().Clone(), x = RandomF32({40, 12}, {.seed = 3});
  const Calibration calibration{.batches = 1, .loss = [&](int64_t) {
                                  const Tensor y = linear.Forward(x);
                                  return Mean(Mul(y, y));
                                }};
  using Extent = sparse::InputStatistics::Extent;
  InputCollector collector({{&linear, "x"}}, Extent::kGram);
  ASSERT_TRUE(RunCalibration(linear, calibration, collector, {}));
  std::map<std::string, sparse::GradientStatistics> gradients;
  ASSERT_TRUE(CollectGradients(linear, calibration, {{"x", linear.weight()}}, gradients, {}));
  std::vector<OneShotOptions> cases;
  for (const sparse::MaskScore score : sparse::MaskScores()) cases.push_back({.score = score});
  for (const PruningMethod method : {PruningMethod::kSparseGpt, PruningMethod::kAlps, PruningMethod::kDsnot}) {
    cases.push_back({.method = method, .score = sparse::MaskScore::kWanda});
  }
  for (OneShotOptions& options : cases) {
    SCOPED_TRACE(NameOf(options));
    options.key = {.seed = 5, .stream = 2};
    WeightPruner pruner(options, "x", dense, {.inputs = &collector.Require(linear), .gradients = &gradients.at("x")});
    for (const double sparsity : {0.25, 0.75, 0.25}) {
      options.pattern = sparse::PruningPattern::Unstructured(sparsity);
      const sparse::PrunedWeight pruned = pruner.Prune(options.pattern);
      const auto report = PruneOnce(linear, options, calibration);
      ASSERT_TRUE(report);
      ExpectBitEqual(pruned.weight, linear.weight());
      ExpectBitEqual(pruned.mask.ToTensor(), report->pruned[0].mask.ToTensor());
      Tensor(linear.weight()).CopyFrom(dense);  // A handle to the same storage.
    }
  }
}

TEST(WeightPrunerTest, SaysThatInputsAreFew) {
  const OneShotOptions options{.method = PruningMethod::kSparseGpt};
  sparse::InputStatistics inputs(12, sparse::InputStatistics::Extent::kGram);
  inputs.Add(RandomF32({5, 12}, {.seed = 3}), "x");
  const WeightPruner pruner(options, "x", RandomF32({8, 12}, {.seed = 1}), {.inputs = &inputs});
  EXPECT_THAT(pruner.notes(), ElementsAre(HasSubstr("x: 5 rows of inputs for 12 features")));
}

}  // namespace
}  // namespace twofour::nn
