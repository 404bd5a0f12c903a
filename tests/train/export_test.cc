#include "twofour/train/export.h"

#include <gtest/gtest.h>

#include <memory>

#include "twofour/nn/mlp.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/pattern.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() { nn::SwapLinearWithSemiSparseLinear(mlp_, {.exclude = "c_proj"}); }

  Generator generator_{1};
  nn::Mlp mlp_{{.in_features = 16, .hidden_features = 32, .out_features = 16}, generator_};
};

const Tensor& Find(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const NamedTensor& named : tensors) {
    if (named.name == name) return named.tensor;
  }
  throw std::out_of_range(name);
}

TEST_F(ExportTest, DenseWeightsComeWithTheirMasks) {
  const auto tensors = ExportModel(mlp_, ExportWeights::kDenseWithMasks);
  EXPECT_EQ(tensors.size(), 5u);  // Four parameters and a mask, but nothing that only a resume needs.
  EXPECT_EQ(Find(tensors, "c_fc.weight_mask").shape(), (Shape{32, 16}));
  EXPECT_TRUE(sparse::FindPatternViolation(Find(tensors, "c_fc.weight"), sparse::PatternAxis::kRows).has_value());
}

TEST_F(ExportTest, PrunedWeightsAreTheMaskedOnesAndTheRestIsUntouched) {
  const auto dense = ExportModel(mlp_, ExportWeights::kDenseWithMasks);
  const auto pruned = ExportModel(mlp_, ExportWeights::kPruned);
  EXPECT_EQ(pruned.size(), 4u);
  const Tensor& weight = Find(pruned, "c_fc.weight");
  EXPECT_FALSE(sparse::FindPatternViolation(weight, sparse::PatternAxis::kBoth).has_value());
  const auto mask = Find(dense, "c_fc.weight_mask").ToVector(), full = Find(dense, "c_fc.weight").ToVector();
  for (size_t i = 0; i < mask.size(); ++i) EXPECT_EQ(weight.ToVector()[i], mask[i] * full[i]);
  EXPECT_EQ(Find(pruned, "c_proj.weight").ToVector(), Find(dense, "c_proj.weight").ToVector());
}

TEST(ExportRecipeTest, BothKindsOfWeightsComputeWhatASoftThresholdDid) {
  const auto make = [](bool swap) {
    Generator generator(2);
    auto mlp = std::make_unique<nn::Mlp>(nn::MlpOptions{.in_features = 16, .hidden_features = 32, .out_features = 16},
                                         generator);
    const sparse::MaskPlan plan({.method = sparse::MaskMethod::kRows, .first_sparse_step = 3});
    if (swap) nn::SwapLinearWithSemiSparseLinear(*mlp, {.sparsity = {.plan = plan, .soft_threshold = true}});
    return mlp;
  };
  const std::unique_ptr<nn::Mlp> trained = make(true), masked = make(true), pruned = make(false);
  const Tensor x = test::RandomF32({5, 16}, {.seed = 3});
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(*trained)) {
    layer->SetOptimizerStep(3);
    layer->mask();  // Finds the scale, which stays the same when the weight changes below.
    Tensor weight = layer->weight();
    FillUniform(weight, -1, 1, {.seed = 4});
  }
  const Tensor y = trained->Forward(x).Detach();
  nn::LoadStateDict(*masked, ExportModel(*trained, ExportWeights::kDenseWithMasks), "export");
  test::ExpectBitEqual(masked->Forward(x).Detach(), y);
  nn::LoadStateDict(*pruned, ExportModel(*trained, ExportWeights::kPruned), "export");
  test::ExpectClose(pruned->Forward(x).Detach(), y);
}

}  // namespace
}  // namespace twofour::train
