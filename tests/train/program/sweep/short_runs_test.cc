// Every sweep that comes with the project can be tried out in a few steps.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/sweep/plan.h"
#include "twofour/train/program/sweep/sweep_config.h"

namespace twofour::train {
namespace {

TEST(ShortRunsTest, EveryShippedSweepIsValidInAFewSteps) {
  int sweeps = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TWOFOUR_SOURCE_DIR "/configs/experiments")) {
    if (entry.path().extension() != ".pbtxt") continue;
    ++sweeps;
    for (PlannedRun& run : PlanSweep(LoadSweep(entry.path().string()), entry.path().string(), "out").runs) {
      for (const int64_t steps : {1, 2, 3, 10}) {
        run.config.mutable_training()->set_steps(steps);
        EXPECT_NO_THROW(ValidateConfig(run.config)) << entry.path() << " " << run.variant << " " << steps;
        EXPECT_NO_THROW(BuildSwapOptions(run.config)) << run.variant;
      }
    }
  }
  EXPECT_GT(sweeps, 0);
}

}  // namespace
}  // namespace twofour::train
