#include "twofour/nn/structured/shrink.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/nn/conv_net.h"
#include "twofour/nn/lora_swap.h"
#include "twofour/nn/swap.h"

#include "tests/nn/structured/small_models.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::unique_ptr<Model> ModelNamed(const std::string& name) {
  if (name == "grouped") return RandomGpt(GroupedGpt());
  if (name == "learned") return RandomGpt(LearnedGpt());
  if (name == "gated") return RandomGpt(GatedGpt());
  if (name == "residual") return RandomResidualMlp();
  return RandomStack();
}

struct Case {
  const char* model;
  ShrinkOptions options;
  friend void PrintTo(const Case& c, std::ostream* out) {
    *out << c.model << " by " << NameOf(c.options.importance) << ", " << c.options.keep_heads << " heads, "
         << c.options.keep_neurons << " neurons, " << c.options.keep_blocks << " blocks";
  }
};

class ShrinkTest : public ::testing::TestWithParam<Case> {};

TEST_P(ShrinkTest, ComputesWhatTheModelDoesWhoseOtherPartsSayNothing) {
  const std::unique_ptr<Model> model = ModelNamed(GetParam().model);
  const std::vector<NamedTensor> before = CopiesOf(*model);
  const double loss_before = MeanOfLosses(*model);
  const auto shrunk = Shrink(*model, GetParam().options, DataFor(*model));
  ASSERT_TRUE(shrunk);
  ExpectSameWeights(*model, before);
  Generator generator(2);
  const std::unique_ptr<Model> small = Build(*shrunk, generator);
  EXPECT_EQ(small->type_name(), model->type_name());

  for (const KeptParts& parts : shrunk->report.sets) {
    EXPECT_THAT(parts.importance, SizeIs(static_cast<size_t>(parts.set.count)));
    for (int64_t part = 0; part < parts.set.count; ++part) {
      if (std::ranges::find(parts.kept, part) == parts.kept.end()) Silence(*model, parts.set, part);
    }
  }
  const NoGradGuard no_grad;
  for (int64_t batch = 0; batch < 3; ++batch) {
    const Tensor x = BatchFor(*model, batch);
    ExpectClose(small->Forward(x), model->Forward(x), 1e-5, 1e-5);
  }
  const ShrinkReport& report = shrunk->report;
  EXPECT_EQ(report.loss_before, loss_before);
  EXPECT_NEAR(*report.loss_after, MeanOfLosses(*small), 1e-5 * (1 + std::fabs(*report.loss_after)));
  EXPECT_EQ(report.parameters_before, model->NumParameters());
  EXPECT_EQ(report.parameters_after, small->NumParameters());
  EXPECT_LT(report.parameters_after, report.parameters_before);
}

INSTANTIATE_TEST_SUITE_P(
    All, ShrinkTest,
    ::testing::Values(
        Case{"grouped", {.keep_heads = 4}}, Case{"grouped", {.keep_neurons = 7}}, Case{"grouped", {.keep_blocks = 2}},
        Case{"grouped", {.keep_heads = 2, .keep_neurons = 11, .keep_blocks = 1}},
        Case{"grouped", {.importance = PartImportance::kActivation, .keep_heads = 4, .keep_blocks = 2}},
        Case{"grouped", {.importance = PartImportance::kGradient, .keep_heads = 2, .keep_neurons = 9}},
        Case{"grouped", {.importance = PartImportance::kLoss, .keep_heads = 4, .keep_blocks = 2}},
        Case{"learned", {.keep_heads = 3, .keep_neurons = 11, .keep_blocks = 2}},
        Case{"learned", {.importance = PartImportance::kActivation, .keep_heads = 1, .keep_neurons = 1}},
        Case{"learned", {.importance = PartImportance::kLoss, .keep_blocks = 1}},
        Case{"gated", {.keep_heads = 3, .keep_neurons = 10, .keep_blocks = 1}},
        Case{"gated", {.importance = PartImportance::kGradient, .keep_heads = 1, .keep_neurons = 5}},
        Case{"residual", {.keep_neurons = 8, .keep_blocks = 3}},
        Case{"residual", {.importance = PartImportance::kActivation, .keep_neurons = 8, .keep_blocks = 1}},
        Case{"residual", {.importance = PartImportance::kGradient, .keep_blocks = 2}},
        Case{"residual", {.importance = PartImportance::kLoss, .keep_blocks = 2}}, Case{"stack", {.keep_neurons = 10}},
        Case{"stack", {.importance = PartImportance::kActivation, .keep_neurons = 1}},
        Case{"stack", {.importance = PartImportance::kGradient, .keep_neurons = 30}}));

TEST(ShrinkOptionsTest, TheNewOptionsSayWhatIsLeft) {
  const auto gpt = RandomGpt(GroupedGpt());
  const auto shrunk = Shrink(*gpt, {.keep_heads = 4, .keep_neurons = 7, .keep_blocks = 2});
  const auto& options = std::get<GptOptions>(shrunk->options);
  EXPECT_EQ(options.heads, 4);
  EXPECT_EQ(options.kv_heads, 2);
  EXPECT_EQ(options.head_features, 4);
  EXPECT_EQ(options.width, 24);
  EXPECT_EQ(options.hidden_features, 7);
  EXPECT_EQ(options.depth, 2);
  EXPECT_FALSE(shrunk->report.loss_before);
  EXPECT_FALSE(shrunk->report.loss_after);
  // Blocks, then the heads and the neurons of each that stays.
  const std::vector<KeptParts>& sets = shrunk->report.sets;
  ASSERT_THAT(sets, SizeIs(5));
  EXPECT_EQ(sets[0].set.name, "transformer.h");
  EXPECT_THAT(sets[0].kept, SizeIs(2));
  EXPECT_EQ(sets[1].set.block, sets[0].kept[0]);
  EXPECT_EQ(sets[4].set.name, fmt::format("transformer.h.{}.mlp", sets[0].kept[1]));
  EXPECT_THAT(sets[3].kept, SizeIs(2));
  EXPECT_THAT(sets[4].kept, SizeIs(7));
  // A tied head is one tensor under two names.
  const auto tied = Shrink(*RandomGpt(LearnedGpt()), {.keep_blocks = 1});
  EXPECT_EQ(std::get<GptOptions>(tied->options).kv_heads, 0);
  EXPECT_TRUE(tied->parameters.front().tensor.IsSameStorage(tied->parameters.back().tensor));
}

TEST(ShrinkOptionsTest, HiddenLayersOfAStackKeepTheSameShare) {
  const auto stack = RandomStack();
  const auto sizes = [&](int64_t keep) {
    return std::get<MlpStackOptions>(Shrink(*stack, {.keep_neurons = keep})->options).hidden_features;
  };
  EXPECT_THAT(sizes(31), ElementsAre(20, 31, 6));
  EXPECT_THAT(sizes(16), ElementsAre(10, 16, 3));
  EXPECT_THAT(sizes(2), ElementsAre(1, 2, 1));
}

TEST(ShrinkOptionsTest, KeepsTheMostImportantPartsAndOfEqualOnesTheFirst) {
  const auto gpt = RandomGpt(GroupedGpt());
  for (const NamedTensor& parameter : gpt->NamedParameters()) {
    Tensor tensor = parameter.tensor;
    tensor.Fill(1);
  }
  const auto kept = [&](size_t set) {
    return Shrink(*gpt, {.keep_heads = 2, .keep_neurons = 3, .keep_blocks = 1})->report.sets[set].kept;
  };
  EXPECT_THAT(kept(0), ElementsAre(0));
  EXPECT_THAT(kept(1), ElementsAre(0));
  EXPECT_THAT(kept(2), ElementsAre(0, 1, 2));
  ParameterOf(*gpt, "transformer.h.2.mlp.c_fc.weight").mutable_data<float>()[7 * 24] = 3;
  ParameterOf(*gpt, "transformer.h.2.attn.c_v.weight").mutable_data<float>()[9 * 24] = 3;
  EXPECT_THAT(kept(0), ElementsAre(2));
  EXPECT_THAT(kept(1), ElementsAre(2));
  EXPECT_THAT(kept(2), ElementsAre(0, 1, 7));
}

TEST(ShrinkOptionsTest, TheSameForAnyNumberOfThreads) {
  const int threads = NumThreads();
  const auto shrink = [](int count) {
    SetNumThreads(count);
    const auto gpt = RandomGpt(GroupedGpt());
    return Shrink(*gpt, {.importance = PartImportance::kGradient, .keep_heads = 4, .keep_neurons = 7, .keep_blocks = 2},
                  DataFor(*gpt));
  };
  const auto one = shrink(1), three = shrink(3);
  SetNumThreads(threads);
  ASSERT_EQ(one->report.sets.size(), three->report.sets.size());
  for (size_t i = 0; i < one->report.sets.size(); ++i) {
    EXPECT_EQ(one->report.sets[i].importance, three->report.sets[i].importance);
    EXPECT_EQ(one->report.sets[i].kept, three->report.sets[i].kept);
  }
  for (size_t i = 0; i < one->parameters.size(); ++i) {
    ExpectBitEqual(one->parameters[i].tensor, three->parameters[i].tensor);
  }
  EXPECT_EQ(one->report.loss_after, three->report.loss_after);
}

TEST(ShrinkOptionsTest, TheSmallerModelTrainsOn) {
  const auto gpt = RandomGpt(GroupedGpt());
  const auto shrunk = Shrink(*gpt, {.keep_heads = 2, .keep_neurons = 7, .keep_blocks = 2});
  Generator generator(2);
  const std::unique_ptr<Model> small = Build(*shrunk, generator);
  LossOf(*small, 0).Backward();
  for (const NamedTensor& parameter : small->NamedParameters()) {
    EXPECT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    EXPECT_FALSE(parameter.tensor.IsSameStorage(ParameterOf(*gpt, parameter.name))) << parameter.name;
  }
}

TEST(ShrinkOptionsTest, StopsWhenAskedTo) {
  const auto gpt = RandomGpt(GroupedGpt());
  const std::vector<NamedTensor> before = CopiesOf(*gpt);
  for (const PartImportance importance :
       {PartImportance::kActivation, PartImportance::kGradient, PartImportance::kLoss}) {
    for (const int before_stop : {0, 2, 4, 8}) {
      int asked = 0;
      EXPECT_FALSE(Shrink(*gpt, {.importance = importance, .keep_blocks = 2}, DataFor(*gpt),
                          [&] { return asked++ == before_stop; }));
      ExpectSameWeights(*gpt, before);
    }
  }
}

TEST(ShrinkOptionsTest, AnErrorWhilePartsAreSilentLeavesTheWeights) {
  const auto gpt = RandomGpt(GroupedGpt());
  const std::vector<NamedTensor> before = CopiesOf(*gpt);
  for (const int64_t good : {4, 7, 10}) {
    int64_t calls = 0;
    const Calibration data{.batches = 3, .loss = [&](int64_t batch) {
                             return calls++ < good ? LossOf(*gpt, batch) : Tensor::FromVector<float>({NAN}, {});
                           }};
    EXPECT_ERROR(Shrink(*gpt, {.importance = PartImportance::kLoss, .keep_blocks = 2}, data),
                 ErrorKind::kRuntimeFailure, HasSubstr("of the calibration data is nan"));
    ExpectSameWeights(*gpt, before);
  }
}

TEST(ShrinkOptionsTest, RefusesWhatTheModelCannotKeep) {
  const auto gpt = RandomGpt(GroupedGpt());
  const auto residual = RandomResidualMlp();
  const auto stack = RandomStack();
  const std::vector<NamedTensor> before = CopiesOf(*gpt);
  const auto refuses = [](Model& model, const ShrinkOptions& options, const std::string& message) {
    EXPECT_ERROR(Shrink(model, options, DataFor(model)), ErrorKind::kInvalidInput, "Shrink: " + message);
  };
  refuses(*gpt, {}, "no number of heads, neurons or blocks to keep, expected at least one");
  refuses(*gpt, {.keep_heads = 8}, "keep_heads is 8, expected 1 to 6");
  refuses(*gpt, {.keep_neurons = 21}, "keep_neurons is 21, expected 1 to 20");
  refuses(*gpt, {.keep_blocks = 4}, "keep_blocks is 4, expected 1 to 3");
  refuses(*gpt, {.keep_heads = 3},
          "keep_heads is 3, expected a multiple of 2, which is how many heads share a key head");
  refuses(*gpt, {.keep_heads = -2}, "keep_heads is -2, expected at least 0");
  refuses(*gpt, {.keep_neurons = -1, .keep_blocks = -5},
          "keep_neurons is -1, expected at least 0\nShrink: keep_blocks is -5, expected at least 0");
  refuses(*gpt, {.importance = PartImportance::kLoss, .keep_heads = 2, .keep_neurons = 2},
          "importance is loss, expected another one for neurons: it would take an evaluation for each of them");
  refuses(*residual, {.keep_heads = 2}, "keep_heads is 2, expected 0: the model has no heads");
  refuses(*stack, {.keep_heads = 2}, "keep_heads is 2, expected 0: the model has no heads");
  refuses(*stack, {.keep_blocks = 2}, "keep_blocks is 2, expected 0: the model has no blocks");
  refuses(*stack, {.keep_neurons = 32}, "keep_neurons is 32, expected 1 to 31");
  for (const PartImportance importance :
       {PartImportance::kActivation, PartImportance::kGradient, PartImportance::kLoss}) {
    EXPECT_ERROR(Shrink(*gpt, {.importance = importance, .keep_blocks = 2}), ErrorKind::kInvalidInput,
                 fmt::format("Shrink: importance by {} needs calibration data, expected at least one batch",
                             NameOf(importance)));
  }
  ExpectSameWeights(*gpt, before);
}

TEST(ShrinkOptionsTest, RefusesModelsThatAreNotPlain) {
  const auto refuses = [](Model& model, const std::string& message) {
    EXPECT_ERROR(Shrink(model, {.keep_neurons = 1}), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  Generator generator(1);
  MlpStack even({.in_features = 8, .hidden_features = {16}, .out_features = 8}, generator);
  SwapLinearWithSemiSparseLinear(even, {.include = "layers.1", .multiple_of = 4});
  refuses(even, "layers.1 is a SemiSparseLinear, expected the dense layers that a model begins with");
  SwapSemiSparseLinearWithLoraLinear(even);
  refuses(even, "layers.1 is a LoraLinear, expected the dense layers");
  MlpStack packed({.in_features = 8, .hidden_features = {16}, .out_features = 8}, generator);
  SwapLinearWithSemiSparseLinear(packed, {.include = "layers.0", .multiple_of = 4});
  SwapSemiSparseLinearWithSparseLinear(packed);
  refuses(packed, "layers.0 is a SparseLinear, expected the dense layers");
  ConvNet net({.image = {4, 4, 1}, .convolutions = {{.out_channels = 4}}, .out_features = 3}, generator);
  refuses(net, "the model is a ConvNet, expected a Gpt, a ResidualMlp or an MlpStack");
}

}  // namespace
}  // namespace twofour::nn
