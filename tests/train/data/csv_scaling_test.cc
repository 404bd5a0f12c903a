#include "twofour/train/data/csv_scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "twofour/train/data/shuffle.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CsvTable TableOf(const std::vector<std::vector<double>>& columns) {
  CsvTable table;
  table.features = std::ssize(columns);
  table.columns.resize(columns.size());
  for (size_t j = 0; j < columns.size(); ++j) table.feature_columns.push_back(j);
  for (size_t row = 0; row < columns[0].size(); ++row) {
    for (const std::vector<double>& column : columns) table.values.push_back(column[row]);
    table.lines.push_back(static_cast<int64_t>(row) + 1);
  }
  return table;
}

FeatureScaling Measure(const std::vector<std::vector<double>>& columns) {
  const CsvTable table = TableOf(columns);
  return MeasureScaling(table, AllIndices(table.rows()));
}

std::vector<std::string> Note(const std::vector<std::vector<double>>& columns, bool scaled) {
  const CsvTable table = TableOf(columns);
  return NoteRounding(table, AllIndices(table.rows()),
                      scaled ? MeasureScaling(table, AllIndices(table.rows())) : FeatureScaling{});
}

std::vector<double> Column(double scale, double shift = 0) {
  std::vector<double> column;
  for (int i = 0; i < 37; ++i) column.push_back((shift + std::sin(i * i)) * scale);
  return column;
}

TEST(MeasureScalingTest, IsToTheBitTheTextbookFormulaForOrdinaryNumbers) {
  for (const double scale : {1e-100, 1e-30, 1.0, 3.7, 1e20, 1e38}) {
    for (const double shift : {0.0, 5.0, 1e9}) {
      const std::vector<double> column = Column(scale, shift);
      double mean = 0, squares = 0;
      for (const double value : column) mean += value;
      mean /= 37.0;
      for (const double value : column) squares += (value - mean) * (value - mean);
      EXPECT_THAT(Measure({column}).mean, ElementsAre(mean)) << scale << " " << shift;
      EXPECT_THAT(Measure({column}).stddev, ElementsAre(std::sqrt(squares / 37.0))) << scale << " " << shift;
    }
  }
}

TEST(MeasureScalingTest, HoldsForTinyAndHugeNumbers) {
  // An x86 long double has enough exponent bits for every square of a double.
  if (std::numeric_limits<long double>::max_exponent <= std::numeric_limits<double>::max_exponent) GTEST_SKIP();
  for (const double scale : {1e-305, 1e-250, 1e-170, 1e-158, 1e-140, 1e140, 1e160, 1e200, 1e300, 4e306}) {
    for (const double shift : {0.0, 2.0}) {
      const std::vector<double> column = Column(scale, shift), ordinary = Column(1, shift);
      long double mean = 0, squares = 0;
      for (const double value : column) mean += value;
      mean /= 37;
      for (const double value : column) squares += (value - mean) * (value - mean);
      const FeatureScaling scaling = Measure({ordinary, column, ordinary});
      const auto near = [](long double expected) {
        return ::testing::DoubleNear(static_cast<double>(expected), static_cast<double>(std::abs(expected) * 1e-12L));
      };
      EXPECT_THAT(scaling.stddev[1], near(std::sqrt(squares / 37))) << scale << " " << shift;
      EXPECT_NEAR(static_cast<double>((scaling.mean[1] - mean) / scale), 0, 1e-12) << scale << " " << shift;
      // The other columns stay the same beside it.
      EXPECT_EQ(scaling.stddev[0], Measure({ordinary}).stddev[0]);
      EXPECT_EQ(scaling.stddev[2], Measure({ordinary}).stddev[0]);
    }
  }
}

TEST(MeasureScalingTest, HoldsForTheLeastDoublesAndForConstants) {
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_THAT(Measure({{0, least * 1000, 0, least * 1000}}).stddev, ElementsAre(least * 500));
  EXPECT_THAT(Measure({{0, 0, 0, least}}).stddev, ElementsAre(least));
  for (const double value : {0.0, 1e-300, 0.1, 1e300, -1e308}) {
    EXPECT_THAT(Measure({{value, value, value}}).mean, ElementsAre(value));
    EXPECT_THAT(Measure({{value, value, value}}).stddev, ElementsAre(1));
  }
  EXPECT_NEAR(Measure({{1e300, 1e-300, 1e300, 1e-300}}).stddev[0] / 1e300, 0.5, 1e-12);
}

TEST(NoteRoundingTest, TellsWhatInputsLose) {
  EXPECT_THAT(Note({Column(1), Column(1e-170), Column(1e300)}, true), IsEmpty());
  EXPECT_THAT(Note({Column(1), Column(1e-320)}, true),
              ElementsAre(HasSubstr("feature in column 1 (counted from 0): a standard deviation below 2.2e-308")));
  EXPECT_THAT(Note({Column(1), Column(1e-30), std::vector<double>(37, 0.0)}, false), IsEmpty());
  EXPECT_THAT(Note({{1700000000, 1700000001}, {1e-170, 2e-170}}, false),
              ElementsAre(HasSubstr("features in column 0 (counted from 0), in column 1")));
  EXPECT_THAT(Note({{1, 1e-50}}, false), ElementsAre(HasSubstr("too small for a 32-bit float, which become 0")));
}

}  // namespace
}  // namespace twofour::train
