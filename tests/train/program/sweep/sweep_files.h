#pragma once

#include <gtest/gtest.h>

#include <string>

#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/text_message.h"
#include "twofour/train/program/sweep/plan.h"
#include "twofour/train/program/sweep/sweep_config.h"
#include "twofour/train/run_files.h"

#include "sweep.pb.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::test {

inline train::proto::Sweep ParseSweep(const std::string& text) {
  train::proto::Sweep sweep;
  sweep.set_name("trial");
  train::proto::Sweep parsed;
  train::ParseTextMessage(text, "sweep", parsed);
  sweep.MergeFrom(parsed);
  return sweep;
}

/// A folder with a tiny base config, base.pbtxt. Sweeps of it leave their files in out/.
class SweepFiles : public ::testing::Test {
 protected:
  SweepFiles() {
    WriteTextFile(dir_ / "base.pbtxt", R"(
      model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 6 batch_size: 16 }
      evaluation { every_steps: 3 }
    )");
  }

  std::string Path(const std::string& name) const { return (dir_ / name).string(); }

  /// The plan of a sweep of the base config. `text` describes the rest of the sweep.
  train::SweepPlan Plan(const std::string& text) const {
    const train::proto::Sweep sweep = ParseSweep("base: 'base.pbtxt' " + text);
    return train::PlanSweep(sweep, Path("trial.pbtxt"), dir_ / "out");
  }

  /// Leaves the files of a run that was interrupted or is finished.
  void LeaveRun(const train::PlannedRun& run, bool finished) const {
    std::filesystem::create_directories(run.folder);
    const train::RunFiles files{run.folder};
    WriteTextFile(files.config(), train::ToText(run.config));
    if (finished) WriteTextFile(files.model(), "weights");
  }

  TempDir dir_;
};

}  // namespace twofour::test
