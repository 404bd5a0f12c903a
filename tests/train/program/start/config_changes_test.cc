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

}  // namespace
}  // namespace twofour::train
