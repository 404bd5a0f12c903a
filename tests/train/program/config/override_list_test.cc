#include "twofour/train/program/config/override_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/train/program/config/text_config.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::IsEmpty;

using Assignments = std::vector<std::string>;

class OverrideListTest : public ::testing::Test {
 protected:
  proto::Config Apply(const Assignments& assignments) const {
    proto::Config config = config_;
    ApplyOverrides(config, assignments);
    return config;
  }

  void ExpectRefused(const Assignments& assignments, const std::string& message) const {
    proto::Config config = config_;
    EXPECT_ERROR(ApplyOverrides(config, assignments), ErrorKind::kInvalidInput, Eq(message));
    EXPECT_EQ(ToText(config), ToText(config_));
  }

  proto::Config config_ = ParseTextConfig(
      "model { residual_mlp { width: 32 } } data { glyphs {} } optimizer { muon {} } "
      "sparsity { freeze { step: 3 } } learning_rate { warmup_steps: 9 }",
      "base");
};

TEST_F(OverrideListTest, AFieldOfAnotherAlternativeDoesNotChooseIt) {
  ExpectRefused({"optimizer.adamw.weight_decay=0.1"},
                "--set optimizer.adamw.weight_decay=0.1: the config has optimizer.muon, expected a field of it; to "
                "change over to adamw, which discards optimizer.muon, give --set optimizer.adamw={} first");
  ExpectRefused({"model.mlp.dropout=0.1"},
                "--set model.mlp.dropout=0.1: the config has model.residual_mlp, expected a field of it; to change "
                "over to mlp, which discards model.residual_mlp, give --set model.mlp={} first");
  ExpectRefused({"data.csv.path=x"},
                "--set data.csv.path=x: the config has data.glyphs, expected a field of it; to change over to csv, "
                "which discards data.glyphs, give --set data.csv={} first");
}

TEST_F(OverrideListTest, ChangesOverWhereThatIsSaid) {
  const proto::Config first = Apply({"optimizer.adamw={}", "optimizer.adamw.weight_decay=0.1"});
  EXPECT_EQ(first.optimizer().adamw().weight_decay(), 0.1);
  EXPECT_EQ(Apply({"optimizer.adamw={weight_decay: 0.1}"}).optimizer().adamw().weight_decay(), 0.1);
  EXPECT_TRUE(Apply({"optimizer={sgd{}}"}).optimizer().has_sgd());
  EXPECT_EQ(Apply({"optimizer={}", "optimizer.sgd.momentum=0.5"}).optimizer().sgd().momentum(), 0.5);
  EXPECT_EQ(Apply({"sparsity.freeze.fraction=0.5"}).sparsity().freeze().fraction(), 0.5);
  EXPECT_EQ(Apply({"learning_rate.warmup_fraction=0.5"}).learning_rate().warmup_fraction(), 0.5);
  EXPECT_EQ(Apply({"optimizer.muon.adamw.beta1=0.5"}).optimizer().muon().adamw().beta1(), 0.5);
}

TEST_F(OverrideListTest, WhereNothingIsChosenAFieldChooses) {
  config_.clear_optimizer();
  EXPECT_EQ(Apply({"optimizer.sgd.momentum=0.5"}).optimizer().sgd().momentum(), 0.5);
  ExpectRefused({"optimizer.sgd.momentum=0.5", "optimizer.adamw.beta1=0.8"},
                "--set optimizer.adamw.beta1=0.8: would discard --set optimizer.sgd.momentum=0.5: optimizer is sgd by "
                "then, expected fields of one of the two");
}

TEST_F(OverrideListTest, NoneUndoesAnotherUnnoticed) {
  ExpectRefused({"learning_rate.warmup_steps=3", "learning_rate.warmup_fraction=0.1"},
                "--set learning_rate.warmup_fraction=0.1: discards learning_rate.warmup_steps of --set "
                "learning_rate.warmup_steps=3, expected assignments that hold together; leave one out");
  ExpectRefused({"optimizer.sgd={}", "seed=3", "optimizer.adamw={}"},
                "--set optimizer.adamw={}: discards optimizer.sgd of --set optimizer.sgd={}, expected assignments that "
                "hold together; leave one out");
  ExpectRefused({"sparsity.algorithm=GREEDY", "sparsity={enabled: true}"},
                "--set sparsity={enabled: true}: discards sparsity.algorithm of --set sparsity.algorithm=GREEDY, "
                "expected assignments that hold together; leave one out");
  ExpectRefused({"model.residual_mlp.width=48", "model={mlp{}}"},
                "--set model={mlp{}}: discards model.residual_mlp.width of --set model.residual_mlp.width=48, expected "
                "assignments that hold together; leave one out");
  ExpectRefused({"sparsity.stages=[{keep: 3}]", "sparsity={enabled: true}"},
                "--set sparsity={enabled: true}: discards sparsity.stages of --set sparsity.stages=[{keep: 3}], "
                "expected assignments that hold together; leave one out");
}

TEST_F(OverrideListTest, WhatIsLeftAsItWasIsNotUndone) {
  EXPECT_TRUE(Apply({"sparsity.enabled=true", "sparsity={enabled: true dense_finish: 0.1}"}).sparsity().enabled());
  // The default is 1, too.
  EXPECT_FALSE(Apply({"sparsity.interval=1", "sparsity={dense_finish: 0.1}"}).sparsity().has_interval());
  EXPECT_THAT(NoteOverrides({"training.steps=9", "training.steps=9", "training={steps: 9}"}), IsEmpty());
  EXPECT_THAT(NoteOverrides({"optimizer.adamw={}", "optimizer.adamw.beta1=0.5", "training.batch_size=3"}), IsEmpty());
}

TEST_F(OverrideListTest, OfOneFieldTheLastOneWinsAndANoteSaysSo) {
  EXPECT_EQ(Apply({"training.steps=9", "training.steps=8"}).training().steps(), 8);
  EXPECT_THAT(NoteOverrides({"training.steps=9", "training.steps=8"}),
              ElementsAre("--set training.steps=8 takes the place of --set training.steps=9"));
  EXPECT_THAT(NoteOverrides({"training={steps: 9 batch_size: 2}", "training.steps=8", "training.batch_size=2"}),
              ElementsAre("--set training.steps=8 takes the place of --set training={steps: 9 batch_size: 2}"));
  EXPECT_THAT(NoteOverrides({"optimizer={sgd{}}", "optimizer={adamw{}}"}),
              ElementsAre("--set optimizer={adamw{}} takes the place of --set optimizer={sgd{}}"));
  EXPECT_THAT(NoteOverrides({"model.mlp.hidden_features=[]", "model.mlp.hidden_features=[3]"}),
              ElementsAre("--set model.mlp.hidden_features=[3] takes the place of --set model.mlp.hidden_features=[]"));
}

TEST_F(OverrideListTest, AnOptionWinsAndANoteSaysSo) {
  EXPECT_THAT(NoteOverrides({"seed=4", "sparsity={enabled: false}"},
                            {{"--sparse", "sparsity.enabled=true"}, {"--seed 3", "seed=3"}}),
              ElementsAre("--sparse takes the place of --set sparsity={enabled: false}",
                          "--seed 3 takes the place of --set seed=4"));
  EXPECT_THAT(NoteOverrides({"seed=3"}, {{"--seed 3", "seed=3"}}), IsEmpty());
}

TEST_F(OverrideListTest, TellsWhichAssignmentsHold) {
  proto::Config config = config_;
  const OverrideTrace trace =
      TraceOverrides(config, {"learning_rate.warmup_steps=3", "training={steps: 9 batch_size: 2}",
                              "learning_rate.warmup_fraction=0.1", "training.steps=8"});
  EXPECT_THAT(trace.holds, ElementsAre(false, true, true, true));
  ASSERT_EQ(trace.undone.size(), 2u);
  EXPECT_EQ(trace.undone[0].how, UndoneOverride::How::kSwitched);
  EXPECT_EQ(trace.undone[1].how, UndoneOverride::How::kReplaced);
  EXPECT_EQ(trace.undone[1].earlier, 1u);
  EXPECT_EQ(trace.undone[1].later, 3u);
  EXPECT_EQ(trace.undone[1].field, "training.steps");
}

}  // namespace
}  // namespace twofour::train
