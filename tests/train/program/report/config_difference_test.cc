#include "twofour/train/program/report/config_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

using test::Recorded;
using ::testing::ElementsAre;

std::string ValueAt(const std::string& path, const proto::Config& config) {
  for (const ConfigField& field : FlattenConfig(config)) {
    if (field.path == path) return field.value;
  }
  return "(not set)";
}

TEST(FlattenConfigTest, NamesFieldsAsSetTakesThem) {
  const proto::Config config =
      Recorded("a", 7, "sparsity { stages { begin { step: 5 } keep: 3 } stages { begin { step: 9 } } }").config;
  EXPECT_EQ(ValueAt("seed", config), "7");
  EXPECT_EQ(ValueAt("model.mlp.hidden_features", config), "[16]");
  EXPECT_EQ(ValueAt("model.mlp.activation", config), "RELU_SQUARED");
  EXPECT_EQ(ValueAt("sparsity.stages[0].keep", config), "3");
  EXPECT_EQ(ValueAt("sparsity.stages[1].begin.step", config), "9");
  EXPECT_EQ(ValueAt("model.gpt.depth", config), "(not set)");
}

TEST(FlattenConfigTest, QuotesStrings) {
  EXPECT_EQ(ValueAt("sparsity.exclude", Recorded("a", 1, R"(sparsity { exclude: "a\"b\n" })").config), R"("a\"b\n")");
}

TEST(DifferingFieldsTest, ListsWhatDiffersInTheOrderOfTheConfig) {
  const proto::Config configs[] = {
      Recorded("a", 1).config,
      Recorded("b", 1, "learning_rate { lr: 0.5 } sparsity { interval: 3 freeze { step: 7 } }").config,
      Recorded("c", 1, "training { steps: 100 batch_size: 20 } sparsity { masked_decay { lambda: 0.5 } }").config};
  const auto fields = DifferingFields(configs);
  std::vector<std::string> paths;
  for (const FieldDifference& field : fields) paths.push_back(field.path);
  ASSERT_THAT(paths, ElementsAre("training.batch_size", "learning_rate.lr", "sparsity.interval", "sparsity.freeze.step",
                                 "sparsity.masked_decay.lambda"));
  EXPECT_THAT(fields[0].values, ElementsAre("10", "10", "20"));
  EXPECT_THAT(fields[3].values, ElementsAre("", "7", ""));
}

TEST(DifferingFieldsTest, EqualConfigsDifferInNothing) {
  const proto::Config configs[] = {Recorded("a", 1).config, Recorded("b", 1).config};
  EXPECT_TRUE(DifferingFields(configs).empty());
}

}  // namespace
}  // namespace twofour::train
