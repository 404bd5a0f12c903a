#include "twofour/train/parallel/owned_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;

std::vector<NamedTensor> Tensors(const std::vector<std::string>& names) {
  std::vector<NamedTensor> tensors;
  for (const std::string& name : names) tensors.push_back({name, Tensor::Scalar(1)});
  return tensors;
}

std::vector<std::string> Names(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  return names;
}

TEST(StateByParameterTest, TakesPartsAndPutsThemTogether) {
  const StateByParameter state(Tensors({"h.1.weight", "h.10.weight", "bias"}));
  const std::vector<NamedTensor> whole = Tensors(
      {"step", "h.1.weight.step", "h.1.weight.exp_avg", "h.10.weight.step", "h.10.weight.exp_avg", "bias.step"});
  const auto tenth = state.Part(whole, [](const std::string& name) { return name == "h.10.weight"; });
  EXPECT_THAT(Names(tenth), ElementsAre("step", "h.10.weight.step", "h.10.weight.exp_avg"));
  const auto others = state.Part(whole, [](const std::string& name) { return name != "h.10.weight"; });
  EXPECT_EQ(Names(state.Join({tenth, others})), Names(whole));
  EXPECT_EQ(Names(state.Join({others, tenth})), Names(whole));
}

TEST(WithBuffersTest, ReplacesTheBuffersOfLayersInPlace) {
  const std::vector<NamedTensor> model =
      Tensors({"a.weight", "b.weight", "a.weight_mask", "a.weight_mask_age", "b.weight_mask", "c.running"});
  const auto result =
      WithBuffers(model, {"a", "b"}, Tensors({"b.weight_mask", "b.weight_mask_age", "b.weight_mask_input_squares"}));
  EXPECT_THAT(Names(result), ElementsAre("a.weight", "b.weight", "a.weight_mask", "a.weight_mask_age", "b.weight_mask",
                                         "b.weight_mask_age", "b.weight_mask_input_squares", "c.running"));
  EXPECT_THAT(Names(WithBuffers(Tensors({"weight", "weight_mask"}), {""}, Tensors({"weight_mask", "weight_mask_age"}))),
              ElementsAre("weight", "weight_mask", "weight_mask_age"));
}

}  // namespace
}  // namespace twofour::train
