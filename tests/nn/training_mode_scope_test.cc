#include "twofour/nn/training_mode_scope.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>

#include "twofour/nn/mlp_stack.h"

namespace twofour::nn {
namespace {

std::map<std::string, bool> ModesOf(Module& root) {
  std::map<std::string, bool> modes;
  root.VisitModules([&](const std::string& name, Module& module) { modes[name] = module.training(); });
  return modes;
}

class TrainingModeScopeTest : public ::testing::Test {
 protected:
  TrainingModeScopeTest() {
    // A frozen part of a model that trains.
    model_.VisitModules([](const std::string& name, Module& module) {
      if (name == "layers.1") module.SetTraining(false);
    });
  }

  Generator generator_{1};
  MlpStack model_{{.in_features = 4, .hidden_features = {4, 4}, .out_features = 4, .dropout = 0.5}, generator_};
};

TEST_F(TrainingModeScopeTest, EachModuleGetsItsModeBack) {
  const auto before = ModesOf(model_);
  for (const bool training : {false, true}) {
    {
      const TrainingModeScope scope(model_, training);
      for (const auto& [name, mode] : ModesOf(model_)) EXPECT_EQ(mode, training) << name;
    }
    EXPECT_EQ(ModesOf(model_), before);
  }
}

TEST_F(TrainingModeScopeTest, AlsoAfterAnException) {
  const auto before = ModesOf(model_);
  try {
    const TrainingModeScope scope(model_, false);
    EXPECT_FALSE(model_.training());
    throw std::runtime_error("no data");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(ModesOf(model_), before);
}

TEST_F(TrainingModeScopeTest, ScopesNest) {
  const auto before = ModesOf(model_);
  {
    const TrainingModeScope outer(model_, false);
    {
      const TrainingModeScope inner(model_, true);
      EXPECT_TRUE(model_.training());
    }
    for (const auto& [name, mode] : ModesOf(model_)) EXPECT_FALSE(mode) << name;
  }
  EXPECT_EQ(ModesOf(model_), before);
}

}  // namespace
}  // namespace twofour::nn
