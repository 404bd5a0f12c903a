// Runs whose weights are V:N:M.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_pattern.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 32 hidden_features: 64 num_blocks: 1 } }
data { glyphs { train_size: 128 eval_size: 32 } }
training { steps: 8 batch_size: 64 }
evaluation { every_steps: 8 }
checkpoint { every_steps: 3 }
logging { every_steps: 1 tensorboard: false }
sparsity { enabled: true algorithm: VNM vnm { v: 16 m: 8 } }
)";

class VnmAppTest : public ConfigRunner {
 protected:
  VnmAppTest() : ConfigRunner(kConfig, "vnm.pbtxt") {}

  SafetensorsFile Model(const std::string& run) {
    return LoadSafetensors(FileSystem::Default(), dir_ / run / "model.safetensors");
  }
};

TEST_F(VnmAppTest, TrainsOnItsOwnKernels) {
  const Outcome outcome = Train("run");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("16:2:8 sparsity enabled - converted 2 MLP layers"),
                                 HasSubstr("16:2:8 masks, searched after every step"), HasSubstr("  vnm_")));
  const SafetensorsFile model = Model("run");
  const sparse::VnmPattern pattern{.v = 16, .m = 8};
  for (const std::string name : {"blocks.0.mlp.c_fc.weight", "blocks.0.mlp.c_proj.weight"}) {
    const sparse::Mask mask = sparse::Mask::FromTensor(*model.Find(name + "_mask"));
    EXPECT_EQ(sparse::FindVnmViolation(mask.view(), pattern), std::nullopt);
    EXPECT_EQ(mask.CountKept() * 4, mask.rows() * mask.cols());
  }
  EXPECT_THAT(ReadTextFile(dir_ / "run/metrics.jsonl"),
              AllOf(HasSubstr("\"sparsity\":0.75"), HasSubstr("\"column_flip_rate\":0.")));
  const Outcome evaluated = Run({"evaluate", "--run", Path("run")});
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
}

TEST_F(VnmAppTest, AResumedRunHasTheSameBits) {
  for (const std::string precision : {"FP32", "BF16"}) {
    SCOPED_TRACE(precision);
    const std::string whole = "whole" + precision, part = "part" + precision;
    const std::vector<std::string> set = {"--set", "training.precision=" + precision};
    ASSERT_EQ(Train(whole, set).code, 0);
    std::vector<std::string> fewer = set;
    fewer.insert(fewer.end(), {"--set", "training.steps=5"});
    ASSERT_EQ(Train(part, fewer).code, 0);
    const Outcome resumed = Run({"--resume", Path(part), "--set", "training.steps=8"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(ReadTextFile(dir_ / whole / "model.safetensors"), ReadTextFile(dir_ / part / "model.safetensors"));
  }
}

TEST_F(VnmAppTest, StagesGrowSparserAndResume) {
  const std::vector<std::string> stages = Set({"sparsity.stages=[{begin{step:1}m:4},{begin{step:4}m:8}]"});
  const Outcome outcome = Train("whole", Joined(stages, Set({"checkpoint.keep=9"})));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("2:4, then 16:2:8 sparsity enabled from step 1"),
                                 HasSubstr("2:4 from step 1; 16:2:8 from step 4")));
  const sparse::Mask mask = sparse::Mask::FromTensor(*Model("whole").Find("blocks.0.mlp.c_fc.weight_mask"));
  EXPECT_EQ(sparse::FindVnmViolation(mask.view(), {.v = 16, .m = 8}), std::nullopt);
  const std::string metrics = ReadTextFile(dir_ / "whole/metrics.jsonl");
  EXPECT_THAT(metrics, AllOf(HasSubstr("\"sparsity\":0.5,"), HasSubstr("\"sparsity\":0.75,")));
  const Outcome resumed = Run({"--resume", Path("whole/checkpoints/step-3"), "--out", Path("part")});  // 2:4 there.
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(ReadTextFile(dir_ / "whole/model.safetensors"), ReadTextFile(dir_ / "part/model.safetensors"));
}

TEST_F(VnmAppTest, ColumnsByWhatIsKeptResume) {
  const Outcome outcome = Train("whole", Set({"sparsity.vnm.columns=KEPT", "checkpoint.keep=9"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("16:2:8 masks (columns: kept), searched after every step"));
  const Outcome resumed = Run({"--resume", Path("whole/checkpoints/step-3"), "--out", Path("part")});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(ReadTextFile(dir_ / "whole/model.safetensors"), ReadTextFile(dir_ / "part/model.safetensors"));
  ASSERT_EQ(Train("sums").code, 0);
  EXPECT_NE(ReadTextFile(dir_ / "whole/model.safetensors"), ReadTextFile(dir_ / "sums/model.safetensors"));
}

TEST_F(VnmAppTest, WhatDoesNotFitIsRefused) {
  const auto expect = [&](const std::string& set, const std::string& message) {
    EXPECT_THAT(Train("x", {"--set", set}), FailsWith(2, HasSubstr(message)));
  };
  expect("sparsity.vnm.v=6", "config: sparsity.vnm.v: 6, expected a multiple of 4 from 4 to 256");
  expect("sparsity.vnm.m=4", "config: sparsity.vnm.m: 4, expected 5 to 32");
  expect("sparsity.algorithm=EXACT", "config: sparsity.vnm: 16:2:8, expected none but for VNM");
  expect("sparsity={enabled: true vnm{columns: KEPT}}",
         "config: sparsity.vnm.columns: KEPT, expected none but for VNM");
  expect("sparsity.vnm={m: 20 columns: EXACT}",
         "config: sparsity.vnm.columns: EXACT, expected another choice where m is 20, or m of at most 16");
  expect("sparsity.schedule={ shape: LINEAR end { step: 4 } }",
         "config: sparsity.schedule: a share of tiles, expected none beside VNM");
  expect("sparsity={enabled:true algorithm:RANDOM score:RIA}",
         "config: sparsity.score: RIA, expected MAGNITUDE beside RANDOM");
  expect("sparsity.stages={begin{step:1}m:6}",
         "config: sparsity.stages[0].m: 6, expected 8: the last stage has the m of vnm");
}

}  // namespace
}  // namespace twofour::train
