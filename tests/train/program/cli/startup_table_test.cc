#include "twofour/train/program/cli/startup_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"

#include "tests/support/scoped_env.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

constexpr bool kAutomatic = true;

TEST(DescribeThreadsTest, SaysNothingMoreWhereAllProcessorsAreUsed) {
  EXPECT_EQ(DescribeThreads(8, kAutomatic, {.usable = 8, .count = 8, .machine = 8}), "8");
  EXPECT_EQ(DescribeThreads(4, !kAutomatic, {.usable = 8, .count = 8, .machine = 8}), "4");
  EXPECT_EQ(DescribeThreads(8, kAutomatic, {.usable = 8, .count = 8, .quota = 20, .machine = 8}), "8");
}

TEST(DescribeThreadsTest, SaysWhatLimitsThem) {
  EXPECT_EQ(DescribeThreads(2, kAutomatic, {.usable = 64, .count = 2, .quota = 1.5, .machine = 64}),
            "2 (CPU quota of this container is 1.5; 64 processors)");
  EXPECT_EQ(DescribeThreads(3, kAutomatic, {.usable = 3, .count = 3, .machine = 64}),
            "3 (CPU affinity of this process; 64 processors)");
  EXPECT_EQ(DescribeThreads(2, kAutomatic, {.usable = 3, .count = 2, .quota = 2, .machine = 64}),
            "2 (CPU quota of this container is 2; 64 processors)");
}

TEST(DescribeThreadsTest, SaysWhereSomebodyAsksForMoreThanThereIs) {
  EXPECT_EQ(DescribeThreads(8, !kAutomatic, {.usable = 2, .count = 2, .machine = 2}),
            "8 (no more than 2 run at once, one for each processor)");
  EXPECT_EQ(DescribeThreads(8, !kAutomatic, {.usable = 64, .count = 2, .quota = 2, .machine = 64}),
            "8 (more than useful: CPU quota of this container is 2; 64 processors)");
}

using test::ConfigRunner;
using test::Outcome;
using test::ReadTextFile;
using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 10 batch_size: 16 }
sparsity { enabled: true }
)";

class StartupTableTest : public ConfigRunner {
 protected:
  StartupTableTest() : ConfigRunner(kConfig) {}

  /// What a dry run prints with these fields set.
  std::string Printed(const std::vector<std::string>& settings, std::vector<std::string> more = {"--dry-run"}) {
    const Outcome outcome = Train("run", Joined(Set(settings), more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }

  const ScopedEnv no_kernel_{"TWOFOUR_KERNEL", std::nullopt};
};

TEST_F(StartupTableTest, NamesTheSearchThatRuns) {
  const std::string exact = sparse::ChooseMaskSearchKernel(sparse::MaskMethod::kExact).name;
  const std::string greedy = sparse::ChooseMaskSearchKernel(sparse::MaskMethod::kGreedy).name;
  EXPECT_THAT(Printed({}), HasSubstr("; masks: " + exact + "\n"));
  EXPECT_THAT(Printed({"sparsity.algorithm=GREEDY"}), HasSubstr("; masks: " + greedy + "\n"));
  EXPECT_THAT(Printed({"sparsity.algorithm=SIGNED_GREEDY"}), HasSubstr("; masks: signed_greedy (scalar code)\n"));
  EXPECT_THAT(Printed({"sparsity.algorithm=RANDOM"}), HasSubstr("; masks: random (scalar code)\n"));
  EXPECT_THAT(Printed({"sparsity.algorithm=ROWS"}), HasSubstr("; masks: rows\n"));
  EXPECT_THAT(Printed({"sparsity.stages=[{begin{step:0}keep:3},{begin{step:5}keep:2}]"}),
              HasSubstr("; masks: best of all (scalar code) for 3:4, " + exact + " for 2:4\n"));
  EXPECT_THAT(Printed({"sparsity.stages=[{begin{step:0}keep:3},{begin{step:5}keep:2}]", "sparsity.nested_stages=true"}),
              HasSubstr("; masks: best of all (scalar code) for 3:4, best of all (scalar code) for 2:4\n"));
  EXPECT_THAT(Printed({"sparsity.target=ACTIVATION", "sparsity.algorithm=GREEDY"}),
              HasSubstr("; masks: " + greedy + "\n"));
  EXPECT_THAT(Printed({"sparsity.schedule.shape=CUBIC", "sparsity.schedule.end.fraction=0.5"}),
              HasSubstr("; masks: " + exact + "\n"));
  EXPECT_THAT(Printed({}, {"--dry-run", "--dense"}), Not(HasSubstr("masks:")));
}

TEST_F(StartupTableTest, SaysThePatternInForce) {
  const std::string end = " - converted 2 MLP layers to SemiSparseLinear\n";
  EXPECT_THAT(Printed({}), HasSubstr("✓ 2:4 sparsity enabled" + end));
  EXPECT_THAT(Printed({"sparsity.algorithm=RANDOM"}), HasSubstr("✓ 2:4 sparsity enabled" + end));
  const std::string four_of_eight = Printed({"sparsity.algorithm=ROWS", "sparsity.rows.keep=4", "sparsity.rows.of=8"});
  EXPECT_THAT(four_of_eight,
              AllOf(HasSubstr("✓ 4:8 sparsity along rows enabled" + end), Not(HasSubstr("2:4 sparsity"))));
  EXPECT_THAT(Printed({"sparsity.algorithm=ROWS"}), HasSubstr("✓ 2:4 sparsity along rows enabled" + end));
  EXPECT_THAT(Printed({"sparsity.stages=[{begin{step:0}keep:1}]"}), HasSubstr("✓ 1:4 sparsity enabled" + end));
  EXPECT_THAT(Printed({"sparsity.stages=[{begin{step:2}keep:3},{begin{step:5}keep:2}]"}),
              HasSubstr("✓ 3:4, then 2:4 sparsity enabled from step 2" + end));
  EXPECT_THAT(Printed({"sparsity.apply=false"}),
              AllOf(HasSubstr("✓ 2:4 masks found, but not applied: products are dense" + end),
                    Not(HasSubstr("2:4 sparsity enabled")), Not(HasSubstr("pair_bucket"))));
  EXPECT_THAT(Printed({"sparsity.dense_warmup=0.1", "sparsity.dense_finish=0.2"}),
              HasSubstr("✓ 2:4 sparsity enabled from step 1, until step 8" + end));
  EXPECT_THAT(Printed({"sparsity.schedule.shape=CUBIC", "sparsity.schedule.end.fraction=0.5"}),
              HasSubstr("✓ 2:4 sparsity enabled by a schedule" + end));
  EXPECT_THAT(Printed({"sparsity.target=ACTIVATION"}), HasSubstr("✓ 2:4 sparsity enabled - converted "));
}

TEST_F(StartupTableTest, SaysWhichForcedKernelsHaveNoUse) {
  const auto unused = [](const std::string& name) {
    return HasSubstr("TWOFOUR_KERNEL: " + name + " is not used by this run\n");
  };
  {
    const ScopedEnv env("TWOFOUR_KERNEL", "exact_scalar,masked_dense");
    EXPECT_THAT(Printed({}), Not(unused("exact_scalar")));
    EXPECT_THAT(Printed({}), Not(unused("masked_dense")));
    EXPECT_THAT(Printed({"sparsity.algorithm=GREEDY"}), unused("exact_scalar"));
    EXPECT_THAT(Printed({"sparsity.apply=false"}), unused("masked_dense"));
    EXPECT_THAT(Printed({"sparsity.target=ACTIVATION"}), unused("masked_dense"));
    EXPECT_THAT(Printed({}, {"--dry-run", "--dense"}), AllOf(unused("exact_scalar"), unused("masked_dense")));
  }
  std::string fused;  // The last of those for f32 runs everywhere.
  for (const sparse::FusedMlpKernel& kernel : sparse::FusedMlpKernels()) {
    if (kernel.linear->activation == DType::kF32) fused = kernel.name;
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "greedy_scalar,scalar_reference,masked_dense," + fused);
  EXPECT_THAT(Printed({}), AllOf(unused("greedy_scalar"), Not(unused(fused))));
  EXPECT_THAT(Printed({"sparsity.fused_mlp=false"}), unused(fused));
}

TEST_F(StartupTableTest, AForcedSearchChangesNeitherProductsNorBits) {
  // The batch is large enough for pair buckets, but the layer is too narrow for the MLP as one op.
  const std::vector<std::string> settings = {"training.steps=3", "training.batch_size=256",
                                             "data.glyphs.train_size=256"};
  Printed(settings, {});
  const std::string expected = ReadTextFile(dir_ / "run/model.safetensors");
  for (const char* search : {"exact_scalar", "greedy_scalar"}) {
    const ScopedEnv env("TWOFOUR_KERNEL", search);
    Printed(settings, {"--overwrite"});
    EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), expected) << search;
  }
}

}  // namespace
}  // namespace twofour::train
