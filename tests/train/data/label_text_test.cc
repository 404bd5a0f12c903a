#include "twofour/train/data/label_text.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/random.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;

TEST(NormalFormTest, IsOneForOneClassInAllItsSpellings) {
  for (const char* yes : {"yes", "Yes", "YES", " yes", "yes ", "yes\t", "yes\xC2\xA0", "\xEF\xBB\xBFyes",
                          "y\xE2\x80\x8B"
                          "es"}) {
    EXPECT_EQ(NormalForm(yes), "yes");
  }
  for (const char* one : {"1", "1.0", "1.", "+1", "01", "1e0", "10e-1", " 1 "}) EXPECT_EQ(NormalForm(one), "1");
  EXPECT_EQ(NormalForm("-0"), NormalForm("0.0"));
  EXPECT_EQ(NormalForm("New  York"), NormalForm("new\xC2\xA0york"));
}

TEST(NormalFormTest, TellsApartWhatDiffers) {
  EXPECT_NE(NormalForm("a b"), NormalForm("ab"));
  EXPECT_NE(NormalForm("1"), NormalForm("-1"));
  EXPECT_NE(NormalForm("9007199254740993"), NormalForm("9007199254740992"));  // Both are the same double.
  EXPECT_NE(NormalForm("nan"), NormalForm("inf"));
}

TEST(SpelledAlikeTest, FindsGroups) {
  EXPECT_THAT(SpelledAlike(std::vector<std::string>{"a", "B", "1.0", "A", "b", "1", "a ", "c"}),
              ElementsAre(ElementsAre(0, 3, 6), ElementsAre(1, 4), ElementsAre(2, 5)));
  EXPECT_THAT(SpelledAlike(std::vector<std::string>{"a", "b"}), ElementsAre());
}

TEST(LooksMissingTest, KnowsWhatTablesWrite) {
  for (const char* text : {"", " ", "NA", "n/a", "NaN", "NULL", "?", "-"}) EXPECT_TRUE(LooksMissing(text)) << text;
  for (const char* text : {"0", "no", "none", "nat", "--x"}) EXPECT_FALSE(LooksMissing(text)) << text;
}

/// The labels that `draw` returns for row numbers.
struct Column {
  std::vector<std::string> names;
  std::vector<int64_t> counts;

  Column(int rows, const std::function<std::string(int)>& draw) {
    std::map<std::string, int64_t> rows_of;
    for (int row = 0; row < rows; ++row) ++rows_of[draw(row)];
    for (const auto& [name, count] : rows_of) {
      names.push_back(name);
      counts.push_back(count);
    }
  }
};

bool IsMeasured(int rows, const std::function<std::string(int)>& draw) {
  const Column column(rows, draw);
  return WhyMeasured(column.names, column.counts).has_value();
}

bool IsPerhapsMeasured(int rows, const std::function<std::string(int)>& draw) {
  const Column column(rows, draw);
  return WhyPerhapsMeasured(column.names, column.counts).has_value();
}

/// A number in [0, 1) for each row.
double Unit(int row) {
  return RandomSequence({.seed = 5, .stream = 0, .step = static_cast<uint64_t>(row)}).Uniform(0, 1);
}

TEST(WhyMeasuredTest, FindsContinuousTargets) {
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return fmt::format("{}", Unit(row)); }));
  EXPECT_TRUE(IsMeasured(15, [](int row) { return fmt::format("{}", Unit(row)); }));
  EXPECT_TRUE(IsMeasured(506, [](int row) { return fmt::format("{:.1f}", 5 + 45 * Unit(row)); }));    // House prices.
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return fmt::format("{:.1f}", 20 + 16 * Unit(row)); }));  // Temperatures.
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return fmt::format("{}", static_cast<int>(1e6 * Unit(row))); }));
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return fmt::format("${:.2f}", 1e4 * Unit(row)); }));
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return fmt::format("{:.3e}", Unit(row)); }));
  // Integers that get rarer towards the end of their range.
  EXPECT_TRUE(
      IsMeasured(442, [](int row) { return fmt::format("{}", 25 + static_cast<int>(400 * Unit(row) * Unit(row))); }));
  // Row numbers.
  EXPECT_TRUE(IsMeasured(300, [](int row) { return fmt::format("{}", row); }));
  // A few values are missing.
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return row % 9 == 0 ? "NA" : fmt::format("{}", Unit(row)); }));
  EXPECT_TRUE(IsMeasured(1000, [](int row) { return row % 200 == 0 ? "bad" : fmt::format("{}", Unit(row)); }));
}

TEST(WhyMeasuredTest, SaysWhatItFound) {
  const Column column(40, [](int row) { return fmt::format("{}", 0.5 * row); });
  EXPECT_EQ(WhyMeasured(column.names, column.counts), "40 different numbers in 40 rows, from 0 to 19.5");
}

TEST(WhyMeasuredTest, LeavesClassesAlone) {
  // Two classes, ten digits, and ratings in halves.
  EXPECT_FALSE(IsMeasured(4, [](int row) { return fmt::format("{}", row % 2); }));
  EXPECT_FALSE(IsMeasured(20, [](int row) { return fmt::format("{}", row % 10); }));
  EXPECT_FALSE(IsMeasured(6, [](int row) { return fmt::format("{}", 0.5 + 0.5 * (row % 3)); }));
  EXPECT_FALSE(IsMeasured(30, [](int row) { return fmt::format("{:.1f}", 0.5 + 0.5 * (row % 10)); }));
  // Ids with several rows each: consecutive ones, ones with gaps, random ones, and ones with two rows each.
  EXPECT_FALSE(IsMeasured(5000, [](int row) { return fmt::format("{}", row % 1000); }));
  EXPECT_FALSE(IsMeasured(3000, [](int row) { return fmt::format("{}", 7919 * (row % 1000)); }));
  EXPECT_FALSE(IsMeasured(900, [](int row) { return fmt::format("{}", static_cast<int>(300 * Unit(row))); }));
  EXPECT_FALSE(IsMeasured(2000, [](int row) { return fmt::format("{}", row % 1000); }));
  // Codes with a decimal point, with many rows each.
  EXPECT_FALSE(IsMeasured(6000, [](int row) { return fmt::format("{:.2f}", 250 + 0.01 * (row % 500)); }));
  // Names, even where each has a single row.
  EXPECT_FALSE(IsMeasured(500, [](int row) { return fmt::format("person {}", row); }));
  EXPECT_FALSE(IsMeasured(500, [](int row) { return fmt::format("2026-01-{}", row); }));
}

TEST(WhyPerhapsMeasuredTest, AsksAboutManyNumbersWithFractionsOrGaps) {
  EXPECT_TRUE(IsPerhapsMeasured(6000, [](int row) { return fmt::format("{:.2f}", 250 + 0.01 * (row % 500)); }));
  EXPECT_TRUE(IsPerhapsMeasured(3000, [](int row) { return fmt::format("{}", 7919 * (row % 1000)); }));
  EXPECT_FALSE(IsPerhapsMeasured(5000, [](int row) { return fmt::format("{}", row % 1000); }));
  EXPECT_FALSE(IsPerhapsMeasured(30, [](int row) { return fmt::format("{:.1f}", 0.5 * (row % 10)); }));
  EXPECT_FALSE(IsPerhapsMeasured(1000, [](int row) { return fmt::format("{}", Unit(row)); }));  // It is measured.
}

}  // namespace
}  // namespace twofour::train
