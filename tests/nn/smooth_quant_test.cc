#include "twofour/nn/smooth_quant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/input_extremes.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectClose;
using test::F32;
using test::RandomF32;
using test::RandomIndices;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

GptOptions SmallGpt(NormKind norm, Activation activation) {
  return {.vocab_size = 11,
          .sequence_length = 8,
          .depth = 2,
          .width = 16,
          .heads = 2,
          .activation = activation,
          .norm = norm,
          .bias = norm == NormKind::kLayer};
}

std::vector<std::string> NormNames(Module& model) {
  std::vector<std::string> names;
  for (const SmoothableNorm& norm : FindSmoothableNorms(model)) names.push_back(norm.name);
  return names;
}

/// Weights and biases of norms that are not all one and zero.
void MakeUneven(Module& model) {
  uint32_t stream = 0;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    Tensor tensor = parameter.tensor;
    tensor.CopyFrom(RandomF32(tensor.shape(), {.seed = 2, .stream = stream++}, -0.7, 1.3));
  }
}

TEST(SmoothQuantTest, LeavesWhatTheModelComputes) {
  const Tensor tokens = RandomIndices({3, 8}, 11, {.seed = 4});
  for (const NormKind kind : {NormKind::kWeightedRms, NormKind::kLayer}) {
    for (const Activation activation : {Activation::kGelu, Activation::kSwiGlu}) {
      Generator generator(1);
      Gpt model(SmallGpt(kind, activation), generator);
      MakeUneven(model);
      const NoGradGuard no_grad;
      const Tensor before = model.Forward(tokens);
      const std::vector<SmoothableNorm> norms = FindSmoothableNorms(model);
      ASSERT_EQ(norms.size(), 5u);
      for (const SmoothableNorm& norm : norms) {
        std::map<const Module*, std::string> names;
        for (const ChannelReader& reader : norm.readers) names[reader.module] = reader.name;
        const auto run = [&] {
          ExtremesCollector collector(names);
          const ForwardObserverScope scope(collector);
          model.Forward(tokens);
          return collector.Require(*norm.readers[0].module).Magnitudes();
        };
        const std::vector<float> magnitudes = run();
        const std::vector<float> factors = SmoothingFactors(norm, magnitudes, 0.5);
        Smooth(norm, factors);
        // All that reads the norm sees its channels divided, and with alpha 1/2 weights and inputs have equal ranges.
        const std::vector<float> smoothed = run();
        for (size_t j = 0; j < factors.size(); ++j) {
          EXPECT_NEAR(smoothed[j] * factors[j], magnitudes[j], 1e-4 * magnitudes[j]) << norm.name << " " << j;
          float largest = 0;
          for (const ChannelReader& reader : norm.readers) {
            for (int64_t row = 0; row < reader.weight.dim(0); ++row) {
              largest = std::max(largest, std::fabs(reader.weight.data<float>()[row * 16 + static_cast<int64_t>(j)]));
            }
          }
          EXPECT_NEAR(largest, smoothed[j], 1e-4 * largest) << norm.name << " " << j;
        }
      }
      ExpectClose(model.Forward(tokens), before, 1e-4, 1e-4);
    }
  }
}

TEST(SmoothQuantTest, FindsNormsWithAWeightAlone) {
  Generator generator(1);
  Gpt plain(SmallGpt(NormKind::kRms, Activation::kGelu), generator);
  EXPECT_THAT(NormNames(plain), IsEmpty());
  GptOptions tied_options = SmallGpt(NormKind::kLayer, Activation::kGelu);
  tied_options.depth = 1;
  tied_options.tied_head = true;
  Gpt tied(tied_options, generator);  // Its head shares its weight with the embedding, which must stay.
  EXPECT_THAT(NormNames(tied), UnorderedElementsAre("transformer.h.0.ln_1", "transformer.h.0.ln_2"));
  ResidualMlp residual({.in_features = 4, .width = 8, .num_blocks = 1, .out_features = 3}, generator);
  EXPECT_THAT(NormNames(residual), UnorderedElementsAre("blocks.0.norm", "norm"));
  MlpStack stack({.in_features = 4, .hidden_features = {8}, .out_features = 3}, generator);
  EXPECT_THAT(NormNames(stack), IsEmpty());
}

/// max|x|^alpha / max|W|^(1 - alpha), worked out by hand.
TEST(SmoothQuantTest, FactorsAreThoseOfThePaper) {
  const SmoothableNorm norm{"n", F32({1, 1, 1, 1}, {4}), {}, {{"a", nullptr, F32({4, 2, 0, -1, 1, -9, 0, 0}, {2, 4})}}};
  EXPECT_THAT(SmoothingFactors(norm, std::vector<float>{16, 4, 2, 0}, 0.5),
              ElementsAre(2, testing::FloatNear(2.0F / 3, 1e-6F), 1, 1));
  EXPECT_THAT(SmoothingFactors(norm, std::vector<float>{16, 4, 2, 0}, 1), ElementsAre(16, 4, 1, 1));
  EXPECT_THAT(SmoothingFactors(norm, std::vector<float>{16, 4, 2, 0}, 0),
              ElementsAre(0.25F, testing::FloatNear(1.0F / 9, 1e-6F), 1, 1));
}

}  // namespace
}  // namespace twofour::nn
