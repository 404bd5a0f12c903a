#include "twofour/nn/channel_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/swap.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using test::RandomIndices;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A model, an input for it, and what the model is.
struct Subject {
  std::string what;
  std::unique_ptr<Module> model;
  Tensor input;
};

/// Gives every parameter random values, because many start as zeros or ones. Weights are of a size that keeps
/// activations near 1.
void Randomise(Module& model) {
  uint64_t seed = 50;
  for (NamedTensor& parameter : model.NamedParameters()) {
    const Shape& shape = parameter.tensor.shape();
    const double bound = shape.size() == 2 ? 2 / std::sqrt(static_cast<double>(shape[1])) : 1;
    parameter.tensor.CopyFrom(RandomF32(shape, {++seed, 0, 0}, -bound, bound));
  }
  model.SetTraining(false);
}

Subject Made(std::string what, std::unique_ptr<Module> model, Tensor input) {
  Randomise(*model);
  return {std::move(what), std::move(model), std::move(input)};
}

std::vector<Subject> Subjects() {
  std::vector<Subject> subjects;
  Generator generator(1);
  const GptOptions small{.vocab_size = 11, .sequence_length = 6, .depth = 2, .width = 16, .heads = 4};
  const auto gpt = [&](std::string what, GptOptions options) {
    subjects.push_back(
        Made(std::move(what), std::make_unique<Gpt>(options, generator), RandomIndices({2, 6}, 11, {3, 0, 0})));
  };
  gpt("default", small);
  GptOptions options = small;
  options.positions = Positions::kLearned;
  options.norm = NormKind::kLayer;
  options.embedding_norm = options.query_key_norm = false;
  options.bias = options.tied_head = true;
  options.activation = Activation::kGelu;
  gpt("as GPT-2", options);
  options.tied_head = false;
  gpt("as GPT-2, head of its own", options);
  options = small;
  options.norm = NormKind::kWeightedRms;
  options.activation = Activation::kSwiGlu;
  options.kv_heads = 2;
  options.embedding_norm = options.query_key_norm = false;
  options.soft_cap = 5;
  gpt("as Llama", options);
  options.bias = options.tied_head = true;
  options.attention_window = 3;
  gpt("gated with biases", options);
  const Tensor x = RandomF32({5, 12}, {4, 0, 0});
  subjects.push_back(
      Made("ResidualMlp",
           std::make_unique<ResidualMlp>(
               ResidualMlpOptions{.in_features = 12, .width = 16, .num_blocks = 2, .out_features = 3}, generator),
           x));
  subjects.push_back(
      Made("MlpStack",
           std::make_unique<MlpStack>(
               MlpStackOptions{.in_features = 12, .hidden_features = {20, 16, 8}, .out_features = 3}, generator),
           x));
  subjects.push_back(Made(
      "Mlp", std::make_unique<Mlp>(MlpOptions{.in_features = 12, .hidden_features = 24, .out_features = 4}, generator),
      x));
  return subjects;
}

sparse::ChannelOrder RandomOrder(int64_t size, uint64_t seed) {
  sparse::ChannelOrder order = sparse::IdentityOrder(size);
  RandomSequence random({seed, 0, 0});
  for (size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random.Below(static_cast<uint32_t>(left))]);
  }
  return order;
}

/// The largest difference, as a share of the largest element of `expected`.
double Difference(const Tensor& actual, const Tensor& expected) {
  double largest = 0, difference = 0;
  const std::vector<float> a = actual.ToVector(), e = expected.ToVector();
  for (size_t i = 0; i < e.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(e[i])));
    difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - static_cast<double>(e[i])));
  }
  return difference / largest;
}

std::vector<std::string> NamesOf(const std::vector<ChannelGroup>& groups) {
  std::vector<std::string> names;
  for (const ChannelGroup& group : groups) names.push_back(group.name);
  return names;
}

/// Sums in another order differ by a few roundings of a float.
TEST(ChannelGroupsTest, NoOrderChangesWhatAModelComputes) {
  for (const Subject& subject : Subjects()) {
    SCOPED_TRACE(subject.what);
    const Tensor before = subject.model->Forward(subject.input).Clone();
    const std::vector<ChannelGroup> groups = FindChannelGroups(*subject.model);
    uint64_t seed = 0;
    for (const ChannelGroup& group : groups) {
      ReorderChannels(*subject.model, group, RandomOrder(group.size, ++seed));
      EXPECT_LT(Difference(subject.model->Forward(subject.input), before), 2e-6) << group.name;
    }
  }
}

/// If one of the parameters kept its order, the model would compute something else.
TEST(ChannelGroupsTest, EveryUseMatters) {
  for (const Subject& subject : Subjects()) {
    for (const ChannelGroup& group : FindChannelGroups(*subject.model)) {
      const sparse::ChannelOrder order = RandomOrder(group.size, 7);
      sparse::ChannelOrder back(order.size());
      for (size_t place = 0; place < order.size(); ++place)
        back[static_cast<size_t>(order[place])] = static_cast<int64_t>(place);
      const Tensor before = subject.model->Forward(subject.input).Clone();
      for (size_t left_out = 0; left_out < group.uses.size(); ++left_out) {
        ChannelGroup partial = group;
        partial.uses.erase(partial.uses.begin() + static_cast<std::ptrdiff_t>(left_out));
        ReorderChannels(*subject.model, partial, order);
        EXPECT_GT(Difference(subject.model->Forward(subject.input), before), 1e-3)
            << subject.what << ", " << group.name << ": " << group.uses[left_out].parameter;
        ReorderChannels(*subject.model, partial, back);
      }
      ExpectBitEqual(subject.model->Forward(subject.input), before);
    }
  }
}

TEST(ChannelGroupsTest, NamesWhatMayBeReordered) {
  const std::vector<Subject> subjects = Subjects();
  EXPECT_THAT(NamesOf(FindChannelGroups(*subjects[0].model)),
              ElementsAre("transformer.h.0.mlp.hidden", "transformer.h.1.mlp.hidden", "residual"));
  EXPECT_THAT(NamesOf(FindChannelGroups(*subjects[5].model)),
              ElementsAre("blocks.0.mlp.hidden", "blocks.1.mlp.hidden", "residual"));
  EXPECT_THAT(NamesOf(FindChannelGroups(*subjects[6].model)),
              ElementsAre("layers.0.hidden", "layers.1.hidden", "layers.2.hidden"));
  EXPECT_THAT(NamesOf(FindChannelGroups(*subjects[7].model)), ElementsAre("hidden"));
  const ChannelGroup hidden = FindChannelGroups(*subjects[1].model).front();
  EXPECT_EQ(hidden.size, 64);
  std::vector<std::string> uses;
  for (const auto& [parameter, axis] : hidden.uses) uses.push_back(parameter + " " + std::to_string(axis));
  EXPECT_THAT(uses, ElementsAre("transformer.h.0.mlp.c_fc.weight 0", "transformer.h.0.mlp.c_fc.bias 0",
                                "transformer.h.0.mlp.c_proj.weight 1"));
}

TEST(ChannelGroupsTest, RefusesSparseLinearsAndWrongOrders) {
  Subject subject = std::move(Subjects().front());
  const std::vector<ChannelGroup> groups = FindChannelGroups(*subject.model);
  EXPECT_ERROR(ReorderChannels(*subject.model, groups.back(), sparse::IdentityOrder(15)), ErrorKind::kInvalidInput,
               HasSubstr("residual: an order of 15 channels, expected 16"));
  SwapLinearWithSemiSparseLinear(*subject.model, {.include = ".*c_fc"});
  EXPECT_ERROR(FindChannelGroups(*subject.model), ErrorKind::kInvalidInput,
               HasSubstr("transformer.h.0.mlp.c_fc is a SemiSparseLinear, expected dense linears"));
}

}  // namespace
}  // namespace twofour::nn
