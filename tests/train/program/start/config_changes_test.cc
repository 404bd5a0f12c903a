#include "twofour/train/program/start/config_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ConfigChangesTest, OptionsWinOverAssignmentsAndDefaultsAreFilledIn) {
  proto::Config config;
  config.set_seed(3);
  const ConfigChanges changes = {.set = {"seed=4", "training.steps=7", "threads=2"}, .sparse = true, .seed = 5};
  const proto::Config changed = Changed(config, changes);
  EXPECT_EQ(changed.seed(), 5u);
  EXPECT_EQ(changed.threads(), 2);
  EXPECT_EQ(changed.training().steps(), 7);
  EXPECT_TRUE(changed.sparsity().enabled());
  EXPECT_TRUE(changed.training().has_batch_size());
  EXPECT_THAT(NotesOf(changes), ElementsAre(AllOf(HasSubstr("seed=4"), HasSubstr("--seed 5"))));
}

TEST(ConfigChangesTest, WithoutChangesOnlyDefaultsAreFilledIn) {
  proto::Config config;
  config.mutable_training()->set_steps(7);
  const proto::Config changed = Changed(config, {});
  EXPECT_EQ(changed.training().steps(), 7);
  EXPECT_FALSE(changed.sparsity().enabled());
  EXPECT_THAT(NotesOf({}), IsEmpty());
  EXPECT_ERROR(Changed(config, {.set = {"training.stepz=1"}}), ErrorKind::kInvalidInput, HasSubstr("stepz"));
}

TEST(ConfigChangesTest, ARunLeavesLowPrecisionBehindInAnotherPrecision) {
  proto::Config stored;
  stored.mutable_training()->set_precision(proto::Training::NVFP4);
  stored.mutable_training()->mutable_low_precision()->set_first_blocks(1);
  stored.mutable_training()->mutable_low_precision()->mutable_weights()->set_format(proto::LowPrecision::Operand::E5M2);
  const auto first_blocks = [&](const std::vector<std::string>& set) {
    return ChangedRun(stored, {.set = set}).training().low_precision().first_blocks();
  };
  EXPECT_EQ(first_blocks({"training.steps=7"}), 1);
  EXPECT_EQ(first_blocks({"training.precision=FP8"}), 1);
  const proto::Config left = ChangedRun(stored, {.set = {"training.precision=BF16"}});
  EXPECT_EQ(left.training().low_precision().first_blocks(), 0);
  EXPECT_EQ(left.training().low_precision().weights().format(), proto::LowPrecision::Operand::BY_PRECISION);
  EXPECT_EQ(left.training().precision(), proto::Training::BF16);
  EXPECT_EQ(first_blocks({"training.precision=FP32"}), 0);
  // What the changes name is a mistake, and stays to be found.
  EXPECT_EQ(first_blocks({"training.precision=BF16", "training.low_precision.first_blocks=2"}), 2);
  EXPECT_EQ(first_blocks({"training.low_precision={first_blocks: 3}", "training.precision=BF16"}), 3);
  EXPECT_EQ(first_blocks({"training={low_precision {first_blocks: 4}}"}), 4);
  // A run that never rounded keeps what it has.
  stored.mutable_training()->set_precision(proto::Training::BF16);
  EXPECT_EQ(first_blocks({"training.precision=FP32"}), 1);
}

}  // namespace
}  // namespace twofour::train
