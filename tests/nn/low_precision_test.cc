#include "twofour/nn/low_precision.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/conv_net.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/swap.h"
#include "twofour/nn/training_mode_scope.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/rounded_linear.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using Kind = NumberFormat::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

sparse::LinearFormats Fp8() {
  const auto format = [](Kind kind) {
    return NumberFormat{.kind = kind, .scale_type = NumberFormat::ScaleType::kPowerOfTwo};
  };
  return {format(Kind::kE4M3), format(Kind::kE4M3), format(Kind::kE5M2)};
}

std::vector<std::string> Names(const std::vector<SwapEntry>& entries) {
  std::vector<std::string> names;
  for (const SwapEntry& entry : entries) names.push_back(entry.name);
  return names;
}

GptOptions Tiny() {
  GptOptions options;
  options.vocab_size = 16, options.sequence_length = 8, options.depth = 3, options.width = 32, options.heads = 2;
  return options;
}

TEST(LowPrecisionTest, LeavesTheHeadAndTheBlocksAtTheEnds) {
  Generator generator(1);
  Gpt gpt(Tiny(), generator);
  const SwapReport report = EmulateLowPrecision(gpt, {.formats = Fp8(), .first_blocks = 1, .last_blocks = 1});
  ASSERT_FALSE(report.converted.empty());
  for (const std::string& name : Names(report.converted)) EXPECT_THAT(name, HasSubstr("h.1."));
  std::string reasons;
  for (const SwapEntry& entry : report.kept_dense) reasons += entry.name + ": " + entry.reason + "\n";
  EXPECT_THAT(reasons, ::testing::AllOf(HasSubstr("lm_head: name matches exclude"),
                                        HasSubstr("it is in one of the first blocks"),
                                        HasSubstr("it is in one of the last blocks")));
}

TEST(LowPrecisionTest, CanLeaveASeventhOfTheBlocksAtTheEnd) {
  for (const auto& [depth, left] : std::map<int64_t, int64_t>{{1, 0}, {2, 1}, {7, 1}, {8, 2}}) {
    GptOptions of_depth = Tiny();
    of_depth.depth = depth;
    Generator generator(1);
    Gpt gpt(of_depth, generator);
    const SwapReport report = EmulateLowPrecision(gpt, {.formats = Fp8(), .last_blocks = kSeventhOfBlocks});
    std::set<std::string> blocks;  // "transformer.h.0"
    for (const std::string& name : Names(report.converted)) blocks.insert(name.substr(0, name.find('.', 14)));
    std::set<std::string> expected;
    for (int64_t block = 0; block < depth - left; ++block) expected.insert(fmt::format("transformer.h.{}", block));
    EXPECT_EQ(blocks, expected);
  }
}

TEST(LowPrecisionTest, ASeventhIsOfTheBlocksThatHaveALinearToConvert) {
  Generator generator(1);
  ConvNetOptions options;
  options.image = {8, 8, 4};
  options.convolutions = {{.out_channels = 8}, {.out_channels = 8}};
  options.hidden_features = {16};
  options.out_features = 4;
  ConvNet net(options, generator);
  const LowPrecisionOptions usual{.formats = Fp8(), .last_blocks = kSeventhOfBlocks};
  EXPECT_THAT(Names(EmulateLowPrecision(net, usual).converted), ElementsAre("layers.2"));

  options.hidden_features = {16, 16};
  ConvNet deeper(options, generator);
  EXPECT_THAT(Names(EmulateLowPrecision(deeper, usual).converted), ElementsAre("layers.2"));

  // Of three blocks the last has none, and then the second is the last one.
  Gpt gpt(Tiny(), generator);
  LowPrecisionOptions chosen = usual;
  chosen.include = R"(.*\.h\.[01]\.mlp\.c_fc)";
  EXPECT_THAT(Names(EmulateLowPrecision(gpt, chosen).converted), ElementsAre("transformer.h.0.mlp.c_fc"));
  chosen.first_blocks = 1;
  EXPECT_THAT(Names(EmulateLowPrecision(gpt, chosen).converted), ElementsAre("transformer.h.1.mlp.c_fc"));
}

/// A model with packed weights leaves the blocks that it left in training.
TEST(LowPrecisionTest, PackedLinearsCountAmongTheBlocks) {
  Generator generator(1);
  GptOptions of_two = Tiny();
  of_two.depth = 2;
  Gpt gpt(of_two, generator);
  SwapLinearWithSemiSparseLinear(gpt, {.include = R"(.*\.h\.0\..*)"});
  ASSERT_GT(SwapSemiSparseLinearWithSparseLinear(gpt).converted.size(), 3u);
  const SwapReport report = EmulateLowPrecision(gpt, {.formats = Fp8(), .last_blocks = kSeventhOfBlocks});
  EXPECT_THAT(Names(report.converted), IsEmpty());
}

TEST(LowPrecisionTest, LinearsComputeFromRoundedOperandsWhateverTheyAre) {
  Generator generator(1);
  Mlp mlp({.in_features = 32, .hidden_features = 64, .out_features = 32}, generator);
  const Tensor x = test::RandomF32({40, 32}, {2});
  const Tensor dense = mlp.Forward(x);
  EmulateLowPrecision(mlp, {.formats = Fp8()});
  const Tensor rounded = mlp.Forward(x);
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < dense.numel(); ++i) {
    difference += std::pow(dense.data<float>()[i] - rounded.data<float>()[i], 2);
    norm += std::pow(dense.data<float>()[i], 2);
  }
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0.01 * norm);

  // A swap makes new modules, which do not round until they are told to.
  SwapLinearWithSemiSparseLinear(mlp);
  const Tensor sparse = mlp.Forward(x);
  const SwapReport report = EmulateLowPrecision(mlp, {.formats = Fp8()});
  EXPECT_THAT(Names(report.converted), ElementsAre("c_fc", "c_proj"));
  std::string why_not;
  EXPECT_EQ(mlp.FusedKernel(40, DType::kF32, &why_not), nullptr);
  EXPECT_EQ(why_not, "their operands are rounded");
  const Tensor both = mlp.Forward(x);
  EXPECT_FALSE(std::equal(sparse.data<float>(), sparse.data<float>() + sparse.numel(), both.data<float>()));
}

/// Blocks of NVFP4 hold kept entries alone, so what a mask drops cannot be told from the zeros of a weight.
TEST(LowPrecisionTest, ALinearCanRoundUnderTheMaskOfTheOneWhosePlaceItTakes) {
  Generator generator(1);
  Mlp mlp({.in_features = 64, .hidden_features = 64, .out_features = 32}, generator);
  const auto format = [] {
    return NumberFormat{.kind = Kind::kNvfp4, .scale_type = NumberFormat::ScaleType::kPowerOfTwo};
  };
  const LowPrecisionOptions options{.formats = {format(), format(), format()}};
  const Tensor x = test::RandomF32({40, 64}, {2});
  const auto equal = [](const Tensor& a, const Tensor& b) {
    return std::equal(a.data<float>(), a.data<float>() + a.numel(), b.data<float>());
  };
  SwapLinearWithSemiSparseLinear(mlp);
  EmulateLowPrecision(mlp, options);
  const Tensor masked = mlp.Forward(x);
  std::map<std::string, sparse::Mask> masks;
  for (const auto& [name, layer] : FindSemiSparseLinears(mlp)) masks.emplace(name, layer->mask());
  ASSERT_EQ(masks.size(), 2u);

  SwapSemiSparseLinearWithLinear(mlp, true);
  ASSERT_EQ(EmulateLowPrecision(mlp, options).converted.size(), 2u);
  const Tensor whole = mlp.Forward(x);
  EXPECT_FALSE(equal(whole, masked));
  const auto set_masks = [&](const auto& mask_of) {
    mlp.VisitModules([&](const std::string& name, Module& module) {
      if (auto* const linear = dynamic_cast<Linear*>(&module)) linear->SetRoundedMask(mask_of(name));
    });
  };
  set_masks([&](const std::string& name) { return std::optional(masks.at(name)); });
  EXPECT_TRUE(equal(mlp.Forward(x), masked));
  EXPECT_TRUE(equal(mlp.Forward(x), masked));
  for (Tensor& parameter : mlp.Parameters()) {
    for (int64_t i = 0; i < parameter.numel(); ++i) parameter.mutable_data<float>()[i] *= 2;
  }
  EXPECT_FALSE(equal(mlp.Forward(x), masked)) << "of an earlier weight";
  for (Tensor& parameter : mlp.Parameters()) {
    for (int64_t i = 0; i < parameter.numel(); ++i) parameter.mutable_data<float>()[i] /= 2;
  }
  EXPECT_TRUE(equal(mlp.Forward(x), masked));
  set_masks([](const std::string&) { return std::optional<sparse::Mask>(); });
  EXPECT_TRUE(equal(mlp.Forward(x), whole));
}

TEST(LowPrecisionTest, WhatRoundsIsNotPacked) {
  Generator generator(1);
  Mlp mlp({.in_features = 32, .hidden_features = 64, .out_features = 32}, generator);
  SwapLinearWithSemiSparseLinear(mlp);
  EmulateLowPrecision(mlp, {.formats = Fp8()});
  const SwapReport masked = SwapSemiSparseLinearWithSparseLinear(mlp);
  EXPECT_THAT(Names(masked.converted), IsEmpty());
  ASSERT_EQ(masked.kept_dense.size(), 2u);
  EXPECT_EQ(masked.kept_dense[0].reason, "its operands are rounded");
  SwapSemiSparseLinearWithLinear(mlp, true);
  EmulateLowPrecision(mlp, {.formats = Fp8(), .include = "c_fc"});
  const SwapReport with_zeros = SwapLinearWithSparseLinear(mlp);
  EXPECT_THAT(Names(with_zeros.converted), ElementsAre("c_proj"));
  ASSERT_EQ(with_zeros.kept_dense.size(), 1u);
  EXPECT_EQ(with_zeros.kept_dense[0].reason, "its operands are rounded");
}

TEST(LowPrecisionTest, APassAfterAnUpdateRoundsTheNewWeight) {
  Generator generator(1);
  Mlp mlp({.in_features = 8, .hidden_features = 16, .out_features = 8}, generator);
  EmulateLowPrecision(mlp, {.formats = Fp8()});
  const Tensor x = test::RandomF32({5, 8}, {2});
  mlp.Forward(x);
  for (Tensor& parameter : mlp.Parameters()) {
    for (int64_t i = 0; i < parameter.numel(); ++i) parameter.mutable_data<float>()[i] = 0;
  }
  const Tensor y = mlp.Forward(x);
  for (int64_t i = 0; i < y.numel(); ++i) EXPECT_EQ(y.data<float>()[i], 0);
}

TEST(LowPrecisionTest, ChanceComesFromTheStepAndOnlyInTraining) {
  Generator generator(1);
  Mlp mlp({.in_features = 16, .hidden_features = 32, .out_features = 16}, generator);
  sparse::LinearFormats formats = Fp8();
  formats.activation.rounding = NumberFormat::Rounding::kStochastic;
  EmulateLowPrecision(mlp, {.formats = formats, .seed = 7});
  const Tensor x = test::RandomF32({6, 16}, {2});
  const auto at_step = [&](uint64_t step) {
    mlp.SetStep(step);
    return mlp.Forward(x);
  };
  const Tensor first = at_step(3);
  const auto equal = [](const Tensor& a, const Tensor& b) {
    return std::equal(a.data<float>(), a.data<float>() + a.numel(), b.data<float>());
  };
  EXPECT_FALSE(equal(at_step(4), first));
  EXPECT_TRUE(equal(at_step(3), first));
  EXPECT_FALSE(equal(mlp.Forward(x), first)) << "without a step, each pass draws anew";
  const TrainingModeScope evaluation(mlp, false);
  EXPECT_TRUE(equal(at_step(3), at_step(4)));
}

TEST(LowPrecisionTest, WhatComputesSomethingElseIsKept) {
  Generator generator(1);
  ConvNetOptions options;
  options.image = {8, 8, 4};
  options.convolutions = {{.out_channels = 8}};
  options.hidden_features = {16};
  options.out_features = 4;
  ConvNet net(options, generator);
  const SwapReport report = EmulateLowPrecision(net, {.formats = Fp8()});
  ASSERT_EQ(report.kept_dense.size(), 2u);
  EXPECT_EQ(report.kept_dense[0].reason, "it belongs to a convolution");
  EXPECT_EQ(report.kept_dense[1].name, "head");
  EXPECT_EQ(report.converted.size(), 1u);

  // The head of a language model is part of the loss, which does not round.
  Gpt gpt(Tiny(), generator);
  const SwapReport of_gpt = EmulateLowPrecision(gpt, {.formats = Fp8(), .exclude = ""});
  ASSERT_EQ(of_gpt.kept_dense.size(), 1u);
  EXPECT_EQ(of_gpt.kept_dense[0].reason, "it is computed with the loss");
}

TEST(LowPrecisionTest, RefusesWhatDoesNotGoTogether) {
  Generator generator(1);
  Mlp mlp({.in_features = 8, .hidden_features = 16, .out_features = 8}, generator);
  LowPrecisionOptions options{.formats = Fp8(), .first_blocks = -1};
  EXPECT_ERROR(EmulateLowPrecision(mlp, options), ErrorKind::kInvalidInput, HasSubstr("first_blocks is -1"));
  options = {.formats = Fp8(), .include = "("};
  EXPECT_ERROR(EmulateLowPrecision(mlp, options), ErrorKind::kInvalidInput, HasSubstr("include"));
  options = {.formats = Fp8()};
  options.formats.gradient.granularity = NumberFormat::Granularity::kBlock;
  options.formats.gradient.block = 0;
  EXPECT_ERROR(EmulateLowPrecision(mlp, options), ErrorKind::kInvalidInput, HasSubstr("formats.gradient.block is 0"));
}

}  // namespace
}  // namespace twofour::nn
