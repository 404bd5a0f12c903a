#include "twofour/train/program/report/time_to_loss_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/program/report/test_runs.h"
#include "tests/train/program/report/xml_elements.h"

namespace twofour::train {
namespace {

using test::Recorded;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Evaluated at these steps. A step takes `pace` seconds; they are not recorded if that is 0.
RunRecord Paced(const std::string& name, int seed, const Curve& losses, double pace) {
  RunRecord run = Recorded(name, seed, "training { steps: " + std::to_string(losses.rbegin()->first) + " }");
  run.eval_loss = losses;
  if (pace > 0) {
    for (const auto& [step, loss] : losses) run.training_seconds[step] = pace * static_cast<double>(step);
  }
  return run;
}

/// "dense" ends at 2 after 200 s. "fast" has half of its steps' time and twice its steps, and gets there. "short" ends
/// above it.
std::vector<RunGroup> Groups(double pace = 2) {
  return GroupRuns({Paced("dense", 1, {{50, 5}, {100, 1}}, pace), Paced("dense", 2, {{50, 5}, {100, 3}}, pace),
                    Paced("fast", 1, {{100, 4}, {150, 2.5}, {200, 1.5}}, pace / 4),
                    Paced("fast", 2, {{100, 4}, {150, 2.5}, {200, 1.5}}, pace / 4),
                    Paced("short", 1, {{20, 5}, {40, 3}, {60, 3.5}}, pace),
                    Recorded("begun", 1, "", /*finished=*/false)});
}

std::string RowFor(const std::string& table, const std::string& label) {
  const size_t begin = table.find("\"name\">" + label + "<");
  return begin == std::string::npos ? "" : table.substr(begin, table.find("</tr>", begin) - begin);
}

TEST(TimeToLossSectionTest, ComparesRunsOfDifferentLengthsByTheirSeconds) {
  const std::string section = TimeToLossSection(Groups(), 0);
  EXPECT_NO_THROW(test::XmlParser("<div>" + section + "</div>").Parse());
  EXPECT_THAT(section, HasSubstr("ends at an evaluation loss of 2.000, the mean of its 2 seeds after step 100."));
  EXPECT_THAT(RowFor(section, "dense"), HasSubstr("<td>100<small>1 of 2 seeds: 88</small></td>"
                                                  "<td>200.0<small>1 of 2 seeds: 175.0</small></td><td>baseline</td>"));
  // It needs 75 % more steps, and 44 % of the time.
  EXPECT_THAT(RowFor(section, "fast"), HasSubstr("<td>175<small>seeds: 175 to 175</small></td>"
                                                 "<td>87.50<small>seeds: 87.50 to 87.50</small></td><td>0.44</td>"));
}

TEST(TimeToLossSectionTest, SaysThatAGroupNeverGetsThere) {
  EXPECT_THAT(RowFor(TimeToLossSection(Groups(), 0), "short"),
              HasSubstr("<td><b>never</b><small>lowest 3.000 at step 40</small></td>"
                        "<td><b>never</b><small>in 120.0 s</small></td><td>–</td>"));
}

TEST(TimeToLossSectionTest, GroupsWithoutFinishedRunsHaveNoNumbers) {
  EXPECT_THAT(RowFor(TimeToLossSection(Groups(), 0), "begun"), HasSubstr("<td>–</td><td>–</td><td>–</td>"));
}

TEST(TimeToLossSectionTest, MarksWhatIsOnlyABound) {
  const auto groups = GroupRuns({Paced("a", 1, {{50, 5}, {100, 2}}, 1), Paced("b", 1, {{10, 1.5}, {20, 1}}, 1)});
  EXPECT_THAT(RowFor(TimeToLossSection(groups, 0), "b"), HasSubstr("<td>≤ 10</td><td>≤ 10.00</td><td>≤ 0.10</td>"));
}

TEST(TimeToLossSectionTest, LeavesOutSecondsThatNobodyRecorded) {
  const std::string section = TimeToLossSection(Groups(/*pace=*/0), 0);
  EXPECT_THAT(section, AllOf(Not(HasSubstr("<th>Seconds")), Not(HasSubstr("Seconds are those"))));
  EXPECT_THAT(RowFor(section, "fast"), HasSubstr("<td>175<small>seeds: 175 to 175</small></td>"));
}

TEST(TimeToLossSectionTest, AGroupWithoutSecondsHasOnlySteps) {
  const auto groups = GroupRuns({Paced("a", 1, {{50, 5}, {100, 2}}, 1), Paced("old", 1, {{50, 4}, {100, 1}}, 0),
                                 Paced("old and high", 1, {{50, 4}, {100, 3}}, 0)});
  const std::string section = TimeToLossSection(groups, 0);
  EXPECT_THAT(RowFor(section, "old"), HasSubstr("<td>83</td><td>–</td><td>–</td>"));
  EXPECT_THAT(RowFor(section, "old and high"), HasSubstr("<td><b>never</b><small>not recorded</small></td><td>–</td>"));
  // A baseline without seconds leaves nothing to take a share of.
  EXPECT_THAT(RowFor(TimeToLossSection(groups, 1), "old"), HasSubstr("<td>100</td><td>–</td><td>baseline</td>"));
}

TEST(TimeToLossSectionTest, NeedsSomethingToCompare) {
  EXPECT_THAT(TimeToLossSection(GroupRuns({Paced("a", 1, {{50, 5}}, 1)}), 0), IsEmpty());
  EXPECT_THAT(TimeToLossSection(GroupRuns({Recorded("a", 1), Paced("b", 1, {{50, 5}}, 1)}), 0), IsEmpty());
}

TEST(TimeToLossSectionTest, HostileNamesAreText) {
  const auto groups = GroupRuns({Paced("a", 1, {{50, 5}}, 1), Paced("<script>", 1, {{50, 5}}, 1)});
  EXPECT_THAT(TimeToLossSection(groups, 0), AllOf(HasSubstr("&lt;script&gt;"), Not(HasSubstr("<script"))));
}

}  // namespace
}  // namespace twofour::train
