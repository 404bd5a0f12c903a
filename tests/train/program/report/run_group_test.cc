#include "twofour/train/program/report/run_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

using test::Recorded;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Labels(const std::vector<RunGroup>& groups) {
  std::vector<std::string> labels;
  for (const RunGroup& group : groups) labels.push_back(group.label);
  return labels;
}

TEST(GroupRunsTest, SeedsThreadsAndStartingWeightsMakeNoGroup) {
  const auto groups =
      GroupRuns({Recorded("a", 1), Recorded("b", 1), Recorded("a", 2, "threads: 4"),
                 Recorded("c", 1, "initial_weights: \"x\""), Recorded("c", 2, "initial_weights: \"y\"")});
  EXPECT_THAT(Labels(groups), ElementsAre("a", "b", "c"));
  ASSERT_EQ(groups[0].runs.size(), 2u);
  EXPECT_EQ(groups[0].runs[1].config.seed(), 2u);
  EXPECT_EQ(groups[2].runs.size(), 2u);
}

TEST(GroupRunsTest, RandomAndGivenWeightsAreDifferentStarts) {
  const auto groups = GroupRuns({Recorded("a", 1), Recorded("a", 2, "initial_weights: \"x\"")});
  EXPECT_THAT(Labels(groups), ElementsAre("a (initial_weights=none)", "a (initial_weights=\"(given)\")"));
}

TEST(GroupRunsTest, GroupsOfOneNameAreToldApartByWhatDiffers) {
  EXPECT_THAT(Labels(GroupRuns({Recorded("a", 1), Recorded("a", 1, "sparsity { enabled: true interval: 10 }")})),
              ElementsAre("a (enabled=false, interval=1)", "a (enabled=true, interval=10)"));
}

TEST(GroupRunsTest, GroupsThatDifferInMuchAreNumbered) {
  const std::string much =
      "sparsity { enabled: true interval: 10 multiple_of: 64 dense_warmup: 0.25 } learning_rate { lr: 0.25 }";
  EXPECT_THAT(Labels(GroupRuns({Recorded("a", 1), Recorded("a", 1, much)})), ElementsAre("a", "a #2"));
  // Another run may have that name already.
  EXPECT_THAT(Labels(GroupRuns({Recorded("a", 1), Recorded("a", 1, much), Recorded("a #2", 1)})),
              ElementsAre("a", "a #3", "a #2"));
}

TEST(GroupRunsTest, LongNamesAreCutAndStayApart) {
  const std::string name(500, 'x');
  const auto labels = Labels(GroupRuns({Recorded(name + "1", 1), Recorded(name + "2", 1)}));
  EXPECT_LT(labels[0].size(), 100u);
  EXPECT_NE(labels[0], labels[1]);
}

TEST(GroupRunsTest, CountsFinishedRuns) {
  const auto groups = GroupRuns({Recorded("a", 1), Recorded("a", 2, "", false), Recorded("a", 3)});
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].finished(), 2u);
}

TEST(FindGroupTest, FindsByLabelThenByName) {
  const auto groups = GroupRuns({Recorded("a", 1), Recorded("b", 1), Recorded("a", 1, "sparsity { interval: 10 }")});
  EXPECT_EQ(FindGroup(groups, ""), 0u);
  EXPECT_EQ(FindGroup(groups, "b"), 1u);
  EXPECT_EQ(FindGroup(groups, "a (interval=10)"), 2u);
  EXPECT_ERROR(FindGroup(groups, "a"), ErrorKind::kInvalidInput, HasSubstr("several groups have this name"));
  EXPECT_ERROR(FindGroup(groups, "c"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("--baseline \"c\": no such group"), HasSubstr("\"a (interval=1)\", \"b\"")));
}

TEST(CountsOfOthersTest, CountsByWhatBecameOfThem) {
  RunRecord failed = Recorded("a", 1, "", false), skipped = Recorded("b", 1, "", false);
  failed.outcome = RunOutcome::kFailed;
  skipped.outcome = RunOutcome::kSkipped;
  EXPECT_EQ(CountsOfOthers(GroupRuns({Recorded("a", 2), failed, skipped, failed})), "2 failed, 1 skipped");
  EXPECT_EQ(CountsOfOthers(GroupRuns({Recorded("a", 2)})), "");
  EXPECT_EQ(CountsOfOthers(GroupRuns({Recorded("a", 2, "", false)})), "1 unfinished");
}

}  // namespace
}  // namespace twofour::train
