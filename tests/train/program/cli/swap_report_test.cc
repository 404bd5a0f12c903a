// Compares what the start-up table says about kernels, and which ones it refuses, with what runs.

#include "twofour/train/program/cli/swap_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include "tests/support/scoped_env.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 20 batch_size: 16 }
sparsity { enabled: true }
)";

constexpr const char* kTwoStages = "sparsity.stages=[{begin{step:15}keep:3},{begin{step:18}keep:2}]";

/// The best kernel of a family that runs here.
std::string Best(std::string_view family) {
  for (const sparse::LinearKernel& kernel : sparse::LinearKernels()) {
    if (kernel.family == family && sparse::WhyNotHere(kernel.isa).empty()) return std::string(kernel.name);
  }
  return {};
}

/// The MLP kernel of pair_bucket.
std::string Fused() {
  for (const sparse::FusedMlpKernel& kernel : sparse::FusedMlpKernels()) {
    if (kernel.linear->name == Best("pair_bucket")) return std::string(kernel.name);
  }
  return {};
}

auto IsUnused(const std::string& name) { return HasSubstr("TWOFOUR_KERNEL: " + name + " is not used by this run\n"); }

class SwapReportTest : public ConfigRunner {
 protected:
  SwapReportTest() : ConfigRunner(kConfig) {}

  Outcome Train(const std::vector<std::string>& settings, const std::vector<std::string>& more = {"--dry-run"}) {
    return ConfigRunner::Train("run", Joined(Set(settings), more));
  }

  std::string Printed(const std::vector<std::string>& settings) {
    const Outcome outcome = Train(settings);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }

  const ScopedEnv no_kernel_{"TWOFOUR_KERNEL", std::nullopt};
};

TEST_F(SwapReportTest, AForcedKernelIsRefusedThatCannotTakeAMaskOnTheWay) {
  const ScopedEnv env("TWOFOUR_KERNEL", Best("pair_bucket"));
  for (const std::string& setting :
       {std::string(kTwoStages), std::string("sparsity.schedule={shape:CUBIC end{fraction:0.5}}"),
        std::string("sparsity.schedule={shape:PIECEWISE points{at{step:0}share:1} points{at{step:15}share:0.5}}"),
        std::string("sparsity.algorithm=ROWS")}) {
    SCOPED_TRACE(setting);
    for (const std::vector<std::string>& more : {std::vector<std::string>{"--dry-run"}, std::vector<std::string>{}}) {
      const Outcome outcome = Train({setting}, more);
      EXPECT_THAT(outcome, FailsWith(2, HasSubstr("TWOFOUR_KERNEL=" + Best("pair_bucket") +
                                                  ": the mask keeps more than two of four in a row or column "
                                                  "(blocks.0.mlp.c_fc: not all masks of this run are 2:4 both ways)")));
      EXPECT_EQ(outcome.out, "") << "an error stands alone";
      EXPECT_FALSE(std::filesystem::exists(dir_ / "run"));
    }
  }
}

TEST_F(SwapReportTest, AForcedKernelIsTakenWhereNoOtherMaskComes) {
  const ScopedEnv env("TWOFOUR_KERNEL", Best("pair_bucket"));
  for (const char* setting : {"sparsity.dense_warmup=0.5", "sparsity.stages=[{begin{step:5}keep:1}]",
                              "sparsity.stages=[{begin{step:10}keep:2},{begin{step:15}keep:1}]"}) {
    const Outcome outcome = Train({setting}, {"--overwrite"});
    EXPECT_EQ(outcome.code, 0) << setting << ": " << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("  kernels of its masks; while nothing is pruned: dense products\n"));
  }
}

TEST_F(SwapReportTest, AResumedRunIsAskedOnlyForWhatIsStillToCome) {
  ASSERT_EQ(
      Train({"sparsity.schedule={shape:CUBIC end{step:10}}", "checkpoint.every_steps=5", "checkpoint.keep=10"}, {})
          .code,
      0);
  const ScopedEnv env("TWOFOUR_KERNEL", Best("pair_bucket"));
  const auto branch = [this](const std::string& checkpoint) {
    return Run({"--resume", Path("run/checkpoints/" + checkpoint), "--out", Path("branch")});
  };
  EXPECT_THAT(branch("step-5"), FailsWith(2, HasSubstr("not all masks of this run are 2:4 both ways")));
  const Outcome late = branch("step-15");
  EXPECT_EQ(late.code, 0) << late.err;
  EXPECT_THAT(late.out, Not(HasSubstr("other masks")));
}

TEST_F(SwapReportTest, NamesTheKernelsOfMasksThatAreNotTwoOfFourYet) {
  EXPECT_THAT(Printed({kTwoStages}), HasSubstr("  kernels of masks that are 2:4 in every tile; of other masks: " +
                                               Best("masked_rows") + "; while nothing is pruned: dense products\n"));
  EXPECT_THAT(Printed({kTwoStages, "training.batch_size=300", "data.glyphs.train_size=300"}),
              HasSubstr("of other masks: masked_dense;"));
  EXPECT_THAT(Printed({"sparsity.schedule={shape:LINEAR from:0.5 end{fraction:0.5}}"}),
              HasSubstr("in every tile; of other masks: " + Best("masked_rows") + "\n"));
  EXPECT_THAT(Printed({}), Not(HasSubstr("other masks")));
  EXPECT_THAT(Printed({"sparsity.algorithm=ROWS", "training.batch_size=64"}),
              HasSubstr(Best("masked_rows") + " (" + Best("pair_bucket") +
                        ": the mask keeps more than two of four in a row or column)\n"));
  EXPECT_THAT(Printed({"sparsity.stages=[{begin{step:0}keep:4}]"}), HasSubstr("[32, 16]  dense products\n"));
}

TEST_F(SwapReportTest, NamesTheKernelOfAnMlpAndNoneOfItsLinears) {
  const ScopedEnv env("TWOFOUR_KERNEL", Fused() + ",masked_dense");
  const std::string printed = Printed({});
  EXPECT_THAT(printed, AllOf(HasSubstr("blocks.0.mlp.c_fc    [32, 16]  as a part of blocks.0.mlp\n"),
                             HasSubstr("blocks.0.mlp.c_proj  [16, 32]  as a part of blocks.0.mlp\n"),
                             HasSubstr("blocks.0.mlp         as one op: " + Fused() + "\n"), IsUnused("masked_dense"),
                             Not(IsUnused(Fused()))));
  EXPECT_THAT(printed, Not(HasSubstr("forced by TWOFOUR_KERNEL")));
  // Both are used here: one before the masks are 2:4, the other from then on.
  EXPECT_THAT(Printed({kTwoStages}),
              AllOf(HasSubstr("of other masks: masked_dense;"), Not(IsUnused("masked_dense")), Not(IsUnused(Fused()))));
  // The op needs 2:4 masks, which 3:4 ones never become.
  EXPECT_THAT(Printed({"sparsity.stages=[{begin{step:0}keep:3}]"}),
              AllOf(HasSubstr("linear by linear: its masks are never 2:4 in every tile\n"), IsUnused(Fused()),
                    Not(IsUnused("masked_dense"))));
}

TEST_F(SwapReportTest, AKernelThatIsSaidToHaveNoUseChangesNoBit) {
  const auto model_under = [this](const std::string& kernels) {
    const ScopedEnv env("TWOFOUR_KERNEL", kernels);
    EXPECT_EQ(Train({}, {"--overwrite"}).code, 0);
    return ReadTextFile(dir_ / "run/model.safetensors");
  };
  EXPECT_EQ(model_under(Fused() + ",scalar_reference"), model_under(Fused()));
}

TEST_F(SwapReportTest, ALinearKernelThatTheOpIsChosenByHasAUse) {
  const ScopedEnv env("TWOFOUR_KERNEL", Best("pair_bucket"));
  EXPECT_THAT(Printed({"model.residual_mlp.width=128", "model.residual_mlp.hidden_features=256"}),
              AllOf(HasSubstr("as one op: " + Fused() + "\n"), Not(IsUnused(Best("pair_bucket")))));
}

}  // namespace
}  // namespace twofour::train
