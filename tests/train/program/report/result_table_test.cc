#include "twofour/train/program/report/result_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/program/report/test_runs.h"
#include "tests/train/program/report/xml_elements.h"

namespace twofour::train {
namespace {

using test::Recorded;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

RunRecord Ending(const std::string& name, int seed, double loss, double accuracy, bool finished = true) {
  RunRecord run = Recorded(name, seed, "", finished);
  run.eval_loss = {{100, loss}};
  run.eval_details["accuracy"] = {{100, accuracy}};
  return run;
}

/// "base" ends at losses 11, 12 and 13, "good" three lower, and "near" within noise. "one" has a single seed.
std::vector<RunGroup> Groups() {
  return GroupRuns({Ending("base", 1, 11, 0.5), Ending("base", 2, 12, 0.5), Ending("base", 3, 13, 0.5),
                    Ending("good", 1, 8, 0.75), Ending("good", 2, 9, 0.75), Ending("good", 3, 10, 0.75),
                    Ending("near", 1, 12, 0.5), Ending("near", 2, 12.5, 0.5), Ending("near", 3, 12.25, 0.5),
                    Ending("near", 4, 1000, 0.9, /*finished=*/false), Ending("one", 1, 9.5, 0.25),
                    Ending("begun", 1, 0.001, 0.999, /*finished=*/false)});
}

std::string RowOf(const std::string& table, const std::string& label) {
  const size_t begin = table.find(">" + label + "<");
  return begin == std::string::npos ? "" : table.substr(begin, table.find("</tr>", begin) - begin);
}

TEST(ResultColumnsTest, HoldFinishedRunsAlone) {
  const auto columns = ResultColumns(Groups());
  ASSERT_EQ(columns.size(), 3u);  // Neither training loss nor speed was recorded.
  EXPECT_EQ(columns[0].title, "Evaluation loss");
  EXPECT_THAT(columns[0].values, ElementsAre(ElementsAre(11, 12, 13), ElementsAre(8, 9, 10),
                                             ElementsAre(12, 12.5, 12.25), ElementsAre(9.5), IsEmpty()));
  EXPECT_EQ(columns[2].title, "Accuracy");
  EXPECT_EQ(columns[2].better, Better::kLarger);
}

TEST(ResultColumnsTest, TrainingTimeIsNeitherBetterNorWorse) {
  RunRecord a = Ending("a", 1, 1, 0.5), b = Ending("a", 2, 1, 0.5), c = Ending("c", 1, 1, 0.5);
  a.training_seconds = {{50, 5}, {100, 10}};
  b.training_seconds = {{50, 5}, {100, 12}};
  c.units_per_s = {{100, 10}};  // By this speed its time could only be estimated.
  const auto columns = ResultColumns(GroupRuns({a, b, c}));
  EXPECT_EQ(columns.back().title, "Training time");
  EXPECT_EQ(columns.back().better, Better::kNeither);
  EXPECT_THAT(columns.back().values, ElementsAre(ElementsAre(10, 12), IsEmpty()));
}

TEST(ResultTableTest, ShowsMeanDeviationAndInterval) {
  const std::string table = ResultTable(Groups(), 0);
  EXPECT_NO_THROW(test::XmlParser(table).Parse());
  EXPECT_THAT(RowOf(table, "base"), HasSubstr("<td>12.0 ± 1.0<small>baseline</small></td>"));
  // By Welch: 4 degrees of freedom, 2.776 * sqrt(2/3) = 2.27.
  EXPECT_THAT(RowOf(table, "good"),
              HasSubstr("<b>9.0</b> ± 1.0<small>Δ −3.0 <b>better</b></small><small>[−5.3, −0.7]</small>"));
  // The squared errors of the means are 1/48 and 1/3. This gives 2.249 degrees of freedom, t = 3.88, and half a width
  // of 2.31.
  EXPECT_THAT(RowOf(table, "near"), HasSubstr("12.25 ± 0.25<small>Δ +0.2</small><small>[−2.1, +2.6]</small>"));
  EXPECT_THAT(RowOf(table, "near"), HasSubstr("<td>3<small>1 unfinished</small></td>"));
}

TEST(ResultTableTest, OneSeedHasNeitherDeviationNorInterval) {
  const std::string row = RowOf(ResultTable(Groups(), 0), "one");
  EXPECT_THAT(row, HasSubstr("<td>1</td>"));
  EXPECT_THAT(row, HasSubstr("9.500<small>Δ −2.5</small><small>no interval</small>"));
  EXPECT_THAT(row, Not(HasSubstr("±")));
}

TEST(ResultTableTest, LargerAccuracyIsBetter) {
  const std::string table = ResultTable(Groups(), 0);
  EXPECT_THAT(RowOf(table, "good"), HasSubstr("<b>0.7500</b>"));
  EXPECT_THAT(RowOf(table, "one"), Not(HasSubstr("<b>0.25")));
}

TEST(ResultTableTest, AGroupWithoutFinishedRunsHasNoNumbers) {
  EXPECT_THAT(RowOf(ResultTable(Groups(), 0), "begun"),
              HasSubstr("<td>0<small>1 unfinished</small></td><td>–</td><td>–</td><td>–</td>"));
}

TEST(ResultTableTest, AWorseAccuracyIsCalledWorse) {
  const auto groups =
      GroupRuns({Ending("a", 1, 1, 0.5), Ending("a", 2, 2, 0.51), Ending("b", 1, 1, 0.1), Ending("b", 2, 2, 0.11)});
  EXPECT_THAT(RowOf(ResultTable(groups, 0), "b"), HasSubstr("Δ −0.400 <b>worse</b>"));
  EXPECT_THAT(RowOf(ResultTable(groups, 1), "a"), HasSubstr("Δ +0.400 <b>better</b>"));
}

}  // namespace
}  // namespace twofour::train
