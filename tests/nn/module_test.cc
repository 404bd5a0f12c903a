#include "twofour/nn/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/random.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<std::string> NamesOf(const Module& module) {
  std::vector<std::string> names;
  for (const NamedTensor& parameter : module.NamedParameters()) names.push_back(parameter.name);
  return names;
}

/// A module with a parameter of its own and two linears. It records the steps that it was told.
class Tree : public Module {
 public:
  Tree() {
    Generator generator(1);
    first_ = &RegisterModule("first", std::make_unique<Linear>(LinearOptions{4, 4}, generator));
    scale_ = RegisterParameter("scale", Tensor::Full({1}, 1.0));
    RegisterParameter("nothing", Tensor());
    second_ = &RegisterModule("second", std::make_unique<Linear>(LinearOptions{4, 8, false}, generator));
  }
  std::string_view type_name() const override { return "Tree"; }
  Tensor Forward(const Tensor& x) override { return (*second_)->Forward((*first_)->Forward(x)); }

  ModuleSlot *first_, *second_;
  Tensor scale_;
  std::vector<uint64_t> steps_;

 protected:
  void OnStep(uint64_t step) override { steps_.push_back(step); }
};

TEST(ModuleTest, OwnParametersComeBeforeThoseOfChildren) {
  const Tree tree;
  EXPECT_THAT(NamesOf(tree), ElementsAre("scale", "first.weight", "first.bias", "second.weight"));
  EXPECT_EQ(tree.Parameters().size(), 4u);
  EXPECT_EQ(tree.NumParameters(), 1 + 16 + 4 + 32);
  for (const Tensor& parameter : tree.Parameters()) EXPECT_TRUE(parameter.requires_grad());
  EXPECT_EQ(tree.NamedParameters()[0].tensor.impl(), tree.scale_.impl());
}

TEST(ModuleTest, ModelsHavePyTorchsNames) {
  Generator generator(1);
  const Mlp mlp({.in_features = 4, .hidden_features = 8, .out_features = 4}, generator);
  EXPECT_THAT(NamesOf(mlp), ElementsAre("c_fc.weight", "c_fc.bias", "c_proj.weight", "c_proj.bias"));
  EXPECT_EQ(mlp.NumParameters(), 4 * 8 + 8 + 8 * 4 + 4);

  const MlpStack stack({.in_features = 3, .hidden_features = {5, 6}, .out_features = 2, .bias = true, .dropout = 0.5},
                       generator);
  EXPECT_THAT(NamesOf(stack), ElementsAre("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
                                          "layers.2.weight", "layers.2.bias"));
  EXPECT_EQ(stack.NumParameters(), 3 * 5 + 5 + 5 * 6 + 6 + 6 * 2 + 2);

  const ResidualMlp residual({.in_features = 3, .width = 4, .num_blocks = 2, .out_features = 2, .bias = false},
                             generator);
  EXPECT_THAT(NamesOf(residual),
              ElementsAre("input.weight", "blocks.0.norm.weight", "blocks.0.mlp.c_fc.weight",
                          "blocks.0.mlp.c_proj.weight", "blocks.1.norm.weight", "blocks.1.mlp.c_fc.weight",
                          "blocks.1.mlp.c_proj.weight", "norm.weight", "head.weight"));
  EXPECT_EQ(residual.NumParameters(), 3 * 4 + 2 * (4 + 2 * 4 * 16) + 4 + 4 * 2);
}

TEST(ModuleTest, VisitsParentsFirst) {
  Tree tree;
  std::vector<std::string> modules, slots;
  tree.VisitModules([&](const std::string& name, Module& module) {
    modules.push_back(name + ":" + std::string(module.type_name()));
  });
  EXPECT_THAT(modules, ElementsAre(":Tree", "first:Linear", "second:Linear"));
  tree.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    slots.push_back(name);
    EXPECT_EQ(slot.name(), name);
  });
  EXPECT_THAT(slots, ElementsAre("first", "second"));
}

TEST(ModuleTest, SlotNamesOfNestedModulesAreWhole) {
  Generator generator(1);
  ResidualMlp residual({.in_features = 3, .width = 4, .num_blocks = 1, .out_features = 2, .dropout = 0.1}, generator);
  std::vector<std::string> slots;
  residual.VisitSlots([&](const std::string& name, ModuleSlot&) { slots.push_back(name); });
  EXPECT_THAT(slots, ElementsAre("input", "blocks.0", "blocks.0.norm", "blocks.0.mlp", "blocks.0.mlp.c_fc",
                                 "blocks.0.mlp.c_proj", "blocks.0.dropout", "norm", "head"));
}

TEST(ModuleTest, AReplacementIsWhatTheParentUses) {
  Tree tree;
  Generator generator(7);
  const Tensor x = test::RandomF32({2, 4}, {.seed = 1});
  tree.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    if (name != "second") return;
    slot.Replace(std::make_unique<Mlp>(MlpOptions{4, 8, 12}, generator));
  });
  EXPECT_EQ(tree.Forward(x).shape(), (Shape{2, 12}));
  EXPECT_THAT(NamesOf(tree), ElementsAre("scale", "first.weight", "first.bias", "second.c_fc.weight",
                                         "second.c_fc.bias", "second.c_proj.weight", "second.c_proj.bias"));
}

TEST(ModuleTest, TheChildrenOfAReplacementAreVisited) {
  Tree tree;
  Generator generator(7);
  std::vector<std::string> slots;
  tree.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    slots.push_back(name);
    if (name == "first") slot.Replace(std::make_unique<Mlp>(MlpOptions{4, 8, 4}, generator));
  });
  EXPECT_THAT(slots, ElementsAre("first", "first.c_fc", "first.c_proj", "second"));
}

TEST(ModuleTest, TrainingModeAndStepReachTheWholeTree) {
  Tree tree;
  (*tree.second_).Replace(std::make_unique<Tree>());
  auto& inner = dynamic_cast<Tree&>(**tree.second_);
  EXPECT_TRUE(tree.training());
  tree.SetTraining(false);
  tree.VisitModules([](const std::string& name, Module& module) { EXPECT_FALSE(module.training()) << name; });
  tree.SetTraining(true);
  tree.VisitModules([](const std::string& name, Module& module) { EXPECT_TRUE(module.training()) << name; });
  tree.SetStep(3);
  tree.SetStep(9);
  EXPECT_THAT(tree.steps_, ElementsAre(3, 9));
  EXPECT_THAT(inner.steps_, ElementsAre(3, 9));
}

TEST(ModuleTest, ATensorInTwoPlacesIsOneParameterWithTwoNames) {
  Generator generator(1);
  Tree tree;
  const Tensor weight = tree.Parameters()[1];
  (*tree.second_).Replace(std::make_unique<Linear>(weight, Tensor()));
  EXPECT_THAT(NamesOf(tree), ElementsAre("scale", "first.weight", "first.bias", "second.weight"));
  EXPECT_EQ(tree.Parameters().size(), 3u);
  EXPECT_EQ(tree.NumParameters(), 1 + 16 + 4);
}

TEST(ModuleTest, HasNoBuffersByDefault) {
  Tree tree;
  EXPECT_TRUE(tree.Buffers().empty());
  StateReader reader({{"weight_mask", Tensor::Zeros({1})}}, "file");
  EXPECT_EQ(tree.ReadBuffers(reader, ""), nullptr);
  EXPECT_TRUE(reader.Take("weight_mask").defined());
}

/// Lets a test register what it likes.
class Registry : public Module {
 public:
  std::string_view type_name() const override { return "Registry"; }
  Tensor Forward(const Tensor& x) override { return x; }
  using Module::RegisterModule;
  using Module::RegisterParameter;
};

TEST(ModuleTest, ANameThatIsTakenOrEmptyIsAnError) {
  Registry module;
  module.RegisterParameter("a", Tensor::Zeros({1}));
  module.RegisterModule("b", std::make_unique<Registry>());
  for (const char* name : {"a", "b"}) {
    const auto names_it = ThrowsMessage<Error>(HasSubstr("are named '" + std::string(name) + "'"));
    EXPECT_THAT([&] { module.RegisterParameter(name, Tensor::Zeros({1})); }, names_it);
    EXPECT_THAT([&] { module.RegisterModule(name, std::make_unique<Registry>()); }, names_it);
  }
  EXPECT_THAT([&] { module.RegisterParameter("", Tensor::Zeros({1})); },
              ThrowsMessage<Error>(HasSubstr("without a name")));
  EXPECT_THAT([&] { module.RegisterModule("", std::make_unique<Registry>()); },
              ThrowsMessage<Error>(HasSubstr("without a name")));
  EXPECT_THAT(NamesOf(module), ElementsAre("a"));
}

TEST(ModuleTest, NullIsNoModule) {
  Registry module;
  EXPECT_THAT([&] { module.RegisterModule("a", nullptr); }, ThrowsMessage<Error>(HasSubstr("null for 'a'")));
  ModuleSlot& slot = module.RegisterModule("a", std::make_unique<Registry>());
  EXPECT_THAT([&] { slot.Replace(nullptr); }, ThrowsMessage<Error>(HasSubstr("null for 'a'")));
  EXPECT_EQ(slot->type_name(), "Registry");  // The old module is still there.
}

TEST(ModuleTest, AParameterMustBeAFloatingLeaf) {
  Registry module;
  Tensor leaf = Tensor::Zeros({1});
  leaf.set_requires_grad();
  EXPECT_THROW(module.RegisterParameter("a", Scale(leaf, 2)), Error);
  EXPECT_THROW(module.RegisterParameter("a", Tensor::Zeros({1}, DType::kI32)), Error);
  EXPECT_TRUE(module.Parameters().empty());
}

/// A module with parameters of these names, and then a child of this name.
class Named : public Module {
 public:
  explicit Named(const std::vector<std::string>& parameters, const std::string& child = "") {
    for (const std::string& name : parameters) RegisterParameter(name, Tensor::Zeros({1}));
    Generator generator(1);
    if (!child.empty()) RegisterModule(child, std::make_unique<Linear>(LinearOptions{4, 4}, generator));
  }
  std::string_view type_name() const override { return "Named"; }
  Tensor Forward(const Tensor& x) override { return x; }
};

TEST(ModuleTest, NamesThatCouldMeanTheSameParameterAreRefused) {
  EXPECT_NO_THROW(Named({"a.1", "a.10", "ab"}, "a.2"));
  EXPECT_THAT([] { Named({"a.weight"}, "a"); },
              ThrowsMessage<Error>("Module: the names 'a.weight' and 'a': one is the beginning of the other"));
  EXPECT_THAT(
      [] {
        Named({"a", "a.b"});
      },
      ThrowsMessage<Error>("Module: the names 'a' and 'a.b': one is the beginning of the other"));
  EXPECT_THAT([] { Named({"a"}, "a"); }, ThrowsMessage<Error>("Module: two parameters or children are named 'a'"));
  EXPECT_THAT([] { Named({"__metadata__"}); }, ThrowsMessage<Error>(HasSubstr("safetensors files keep")));
}

}  // namespace
}  // namespace twofour::nn
