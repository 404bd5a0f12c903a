#include "twofour/train/program/cli/closing_lines.h"

#include <gtest/gtest.h>

namespace twofour::train {
namespace {

RunEnding Ending(int64_t best_step, int64_t model_step) {
  return {.run = {"runs/a"},
          .state = {.step = 900, .best_evaluation = {best_step, 0.53, 3}},
          .model_step = model_step,
          .last_loss = 2.04,
          .best_saved = true};
}

TEST(ModelLinesTest, NameTheBestEvaluationWhereItIsNotTheLast) {
  EXPECT_EQ(ModelLines(Ending(250, 900)),
            "model: runs/a/model.safetensors\n"
            "best evaluation: loss 0.5300 after step 250, and 2.0400 after the last step; its weights: "
            "runs/a/checkpoints/step-250");
  EXPECT_EQ(ModelLines(Ending(900, 900)), "model: runs/a/model.safetensors");
  EXPECT_EQ(ModelLines(Ending(0, 900)), "model: runs/a/model.safetensors");
}

TEST(ModelLinesTest, SayWhichStepTheModelIsOf) {
  EXPECT_EQ(ModelLines(Ending(250, 250)),
            "model: runs/a/model.safetensors, the weights of step 250\n"
            "best evaluation: loss 0.5300 after step 250, and 2.0400 after the last step");
}

TEST(ModelLinesTest, SayWhatIsNotThere) {
  RunEnding ending = Ending(250, 900);
  ending.last_loss.reset();
  ending.best_saved = false;
  EXPECT_EQ(ModelLines(ending),
            "model: runs/a/model.safetensors\n"
            "best evaluation: loss 0.5300 after step 250; its weights were not saved");
}

}  // namespace
}  // namespace twofour::train
