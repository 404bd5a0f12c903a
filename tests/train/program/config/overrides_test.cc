#include "twofour/train/program/config/overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/train/program/config/text_config.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OverridesTest : public ::testing::Test {
 protected:
  proto::Config config_ = ParseTextConfig(
      "training { steps: 10 batch_size: 4 } model { mlp { hidden_features: [1, 2, 3] } } data { glyphs {} }", "base");
};

TEST_F(OverridesTest, WinsOverTheFileAndLeavesTheRest) {
  ApplyOverride(config_, "training.steps=99");
  EXPECT_EQ(config_.training().steps(), 99);
  EXPECT_EQ(config_.training().batch_size(), 4);
}

TEST_F(OverridesTest, CreatesMessagesOnTheWay) {
  ApplyOverride(config_, "learning_rate.lr=0.5");
  ApplyOverride(config_, "learning_rate.schedule=WARMUP_COSINE");
  EXPECT_EQ(config_.learning_rate().lr(), 0.5);
  EXPECT_EQ(config_.learning_rate().schedule(), proto::LearningRate::WARMUP_COSINE);
}

TEST_F(OverridesTest, ReplacesARepeatedField) {
  ApplyOverride(config_, "model.mlp.hidden_features=[7, 8]");
  EXPECT_THAT(config_.model().mlp().hidden_features(), ElementsAre(7, 8));
  ApplyOverride(config_, "model.mlp.hidden_features=5");
  EXPECT_THAT(config_.model().mlp().hidden_features(), ElementsAre(5));
  ApplyOverride(config_, "model.mlp.hidden_features=[]");
  EXPECT_THAT(config_.model().mlp().hidden_features(), IsEmpty());
}

TEST_F(OverridesTest, TakesStringsWithAndWithoutQuotes) {
  ApplyOverride(config_, "sparsity.include=.*\\.mlp\\..*");
  EXPECT_EQ(config_.sparsity().include(), ".*\\.mlp\\..*");
  ApplyOverride(config_, "name=a \"b\" = c");
  EXPECT_EQ(config_.name(), "a \"b\" = c");
  ApplyOverride(config_, "name=\"quoted\"");
  EXPECT_EQ(config_.name(), "quoted");
  ApplyOverride(config_, "name=");
  EXPECT_EQ(config_.name(), "");
}

TEST_F(OverridesTest, TakesListsOfStringsWithAndWithoutQuotes) {
  ApplyOverride(config_, "data.csv.drop=id");
  EXPECT_THAT(config_.data().csv().drop(), ElementsAre("id"));
  ApplyOverride(config_, "data.csv.drop=[id, a b ,\"c, d\",'e\"f',\"g\\\"h, i\"]");
  EXPECT_THAT(config_.data().csv().drop(), ElementsAre("id", "a b", "c, d", "e\"f", "g\"h, i"));
  ApplyOverride(config_, "data.csv.drop='x, y'");
  EXPECT_THAT(config_.data().csv().drop(), ElementsAre("x, y"));
  ApplyOverride(config_, "data.csv.drop=[]");
  EXPECT_THAT(config_.data().csv().drop(), IsEmpty());
  EXPECT_ERROR(ApplyOverride(config_, "data.csv.drop=[a"), ErrorKind::kInvalidInput,
               HasSubstr("--set data.csv.drop=[a: expected ] at the end of the list"));
  EXPECT_ERROR(ApplyOverride(config_, "data.csv.drop=[a,,b]"), ErrorKind::kInvalidInput, HasSubstr("data.csv.drop"));
}

TEST_F(OverridesTest, ChoosesAMemberOfAOneof) {
  ApplyOverride(config_, "data.csv.path=x.csv");
  EXPECT_EQ(config_.data().kind_case(), proto::Data::kCsv);
  ApplyOverride(config_, "model={ residual_mlp { width: 32 } }");
  EXPECT_EQ(config_.model().kind_case(), proto::Model::kResidualMlp);
}

TEST_F(OverridesTest, ReplacesAWholeMessage) {
  ApplyOverride(config_, "training={ batch_size: 9 }");
  EXPECT_FALSE(config_.training().has_steps());
  EXPECT_EQ(config_.training().batch_size(), 9);
}

TEST_F(OverridesTest, ReplacesAListOfMessages) {
  ApplyOverride(config_, "sparsity.stages=[{begin{fraction:0.1} keep:3},{begin{step:40} keep:2}]");
  ASSERT_EQ(config_.sparsity().stages_size(), 2);
  EXPECT_EQ(config_.sparsity().stages(0).begin().fraction(), 0.1);
  EXPECT_EQ(config_.sparsity().stages(1).begin().step(), 40);
  ApplyOverride(config_, "sparsity.stages={ keep: 1 }");
  ASSERT_EQ(config_.sparsity().stages_size(), 1);
  EXPECT_EQ(config_.sparsity().stages(0).keep(), 1);
  ApplyOverride(config_, "sparsity.stages=[]");
  EXPECT_EQ(config_.sparsity().stages_size(), 0);
}

TEST_F(OverridesTest, SaysWhatIsWrongAndChangesNothing) {
  const std::string before = ToText(config_);
  EXPECT_ERROR(ApplyOverride(config_, "training.stpes=1"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("--set training.stpes=1"), HasSubstr("'stpes' in Training (did you mean 'steps'?)")));
  EXPECT_ERROR(ApplyOverride(config_, "training.steps"), ErrorKind::kInvalidInput, HasSubstr("path=value"));
  EXPECT_ERROR(ApplyOverride(config_, "=3"), ErrorKind::kInvalidInput, HasSubstr("path=value"));
  EXPECT_ERROR(ApplyOverride(config_, "seed.x=3"), ErrorKind::kInvalidInput, HasSubstr("'seed' has no fields"));
  EXPECT_ERROR(ApplyOverride(config_, "training.steps=many"), ErrorKind::kInvalidInput,
               HasSubstr("found many, expected a whole number"));
  EXPECT_ERROR(ApplyOverride(config_, "training.steps="), ErrorKind::kInvalidInput,
               HasSubstr("found the end of the text, expected a whole number"));
  EXPECT_ERROR(ApplyOverride(config_, "training.steps=5 batch_size: 3"), ErrorKind::kInvalidInput,
               HasSubstr("sets more than 'steps'"));
  EXPECT_ERROR(ApplyOverride(config_, "sparsity.algorithm=BEST"), ErrorKind::kInvalidInput,
               HasSubstr("one of EXACT, GREEDY"));
  EXPECT_ERROR(ApplyOverride(config_, "..=1"), ErrorKind::kInvalidInput, HasSubstr("unknown field ''"));
  EXPECT_EQ(ToText(config_), before);
}

}  // namespace
}  // namespace twofour::train
