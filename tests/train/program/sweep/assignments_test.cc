#include "twofour/train/program/sweep/assignments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/train/program/config/override_list.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::Eq;

using Assignments = std::vector<std::string>;

class SettleAssignmentsTest : public ::testing::Test {
 protected:
  Assignments Settle(const Assignments& file, const Assignments& command_line, const Assignments& axes) const {
    Assignments all = file;
    all.insert(all.end(), command_line.begin(), command_line.end());
    all.insert(all.end(), axes.begin(), axes.end());
    Assignments settled = SettleAssignments(base_, all, {file.size(), command_line.size()});
    proto::Config traced = base_, applied = base_;
    TraceOverrides(traced, all);
    ApplyOverrides(applied, settled);  // The run does the same.
    EXPECT_EQ(ToText(applied), ToText(traced));
    return settled;
  }

  const proto::Config base_ = ParseTextConfig("optimizer { muon {} } training { steps: 5 batch_size: 7 }", "base");
};

TEST_F(SettleAssignmentsTest, AVariantAndTheCommandLineAreStrongerThanTheFile) {
  EXPECT_THAT(Settle({"seed=1"}, {}, {"seed=2"}), ElementsAre("seed=1", "seed=2"));
  EXPECT_THAT(Settle({"training={steps: 3}"}, {"training.steps=4"}, {}),
              ElementsAre("training={steps: 3}", "training.steps=4"));
  EXPECT_THAT(Settle({"training.steps=1"}, {"training.steps=2", "training.steps=3"}, {}),
              ElementsAre("training.steps=1", "training.steps=2", "training.steps=3"));
}

TEST_F(SettleAssignmentsTest, WhatAVariantSwitchesOffIsDropped) {
  EXPECT_THAT(Settle({"learning_rate.warmup_steps=3", "training.steps=9"}, {}, {"learning_rate.warmup_fraction=0.1"}),
              ElementsAre("training.steps=9", "learning_rate.warmup_fraction=0.1"));
  EXPECT_THAT(Settle({"optimizer.adamw={}", "optimizer.adamw.beta1=0.5"}, {}, {"optimizer={sgd{}}"}),
              ElementsAre("optimizer={sgd{}}"));
  EXPECT_THAT(Settle({"optimizer.muon.momentum=0.5"}, {"optimizer={sgd{}}"}, {"training.steps=3"}),
              ElementsAre("optimizer={sgd{}}", "training.steps=3"));
}

TEST_F(SettleAssignmentsTest, WhatCannotBeDroppedIsRefused) {
  EXPECT_ERROR(Settle({"optimizer={adamw{} head{lr_scale: 2}}"}, {}, {"optimizer.sgd={}"}), ErrorKind::kInvalidInput,
               Eq("optimizer.sgd={} undoes optimizer.adamw of optimizer={adamw{} head{lr_scale: 2}}, expected "
                  "assignments that hold together"));
}

TEST_F(SettleAssignmentsTest, NothingElseUndoesAnything) {
  const auto expect = [&](const Assignments& file, const Assignments& command_line, const Assignments& axes,
                          const std::string& message) {
    EXPECT_ERROR(Settle(file, command_line, axes), ErrorKind::kInvalidInput,
                 Eq(message + ", expected assignments that hold together"));
  };
  expect({"training.steps=1", "training.steps=2"}, {}, {},
         "training.steps=2 undoes training.steps of training.steps=1");
  expect({}, {}, {"training.steps=1", "training.steps=2"},
         "training.steps=2 undoes training.steps of training.steps=1");
  expect({}, {"training.steps=1"}, {"training.steps=2"},
         "training.steps=2 undoes training.steps of --set training.steps=1");
  expect({}, {"optimizer={adamw{}}"}, {"optimizer={sgd{}}"},
         "optimizer={sgd{}} undoes optimizer.adamw of --set optimizer={adamw{}}");
  expect({}, {"optimizer={adamw{}}", "optimizer.sgd={}"}, {},
         "--set optimizer.sgd={} undoes optimizer.adamw of --set optimizer={adamw{}}");
  expect({"sparsity.interval=4"}, {}, {"sparsity={enabled: true}"},
         "sparsity={enabled: true} undoes sparsity.interval of sparsity.interval=4");
  expect({}, {}, {"sparsity.freeze.step=4", "sparsity.freeze.fraction=0.5"},
         "sparsity.freeze.fraction=0.5 undoes sparsity.freeze.step of sparsity.freeze.step=4");
}

TEST_F(SettleAssignmentsTest, EqualValuesAreNoConflict) {
  const Assignments twice = {"training.steps=1", "training.steps=1"};
  EXPECT_THAT(Settle(twice, twice, twice), ElementsAreArray(Assignments(6, "training.steps=1")));
}

}  // namespace
}  // namespace twofour::train
