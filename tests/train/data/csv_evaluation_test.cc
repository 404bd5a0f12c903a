#include "twofour/train/data/csv_evaluation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr const char* kTrain = "x,y,kind\n1,2,a\n3,4,b\n5,6,a\n";

CsvOptions Options(const std::string& label) {
  CsvOptions options;
  options.path = "train.csv";
  options.eval_path = "eval.csv";
  options.label = label;
  return options;
}

CsvTable Match(const std::string& train_text, const std::string& eval_text, const std::string& label = "-1") {
  const CsvOptions options = Options(label);
  const CsvTable train = ParseCsv(train_text, options, "train.csv");
  CsvTable eval = ParseCsv(eval_text, options, "eval.csv", &train);
  MatchColumns(train, eval, options);
  return eval;
}

void ExpectError(const std::string& train, const std::string& eval, const std::string& message,
                 const std::string& label = "-1") {
  EXPECT_THAT([&] { Match(train, eval, label); }, ThrowsMessage<Error>(HasSubstr(message))) << eval;
}

TEST(MatchColumnsTest, FindsColumnsByNameWhereverTheyStand) {
  const char* const kOrders[] = {"x,y,kind\n7,8,b\n", "y,x,kind\n8,7,b\n", "kind,x,y\nb,7,8\n", "kind,y,x\nb,8,7\n",
                                 "y,kind,x\n8,b,7\n"};
  for (const char* eval : kOrders) {
    for (const char* label : {"-1", "2", "kind"}) {
      const CsvTable table = Match(kTrain, eval, label);
      EXPECT_THAT(table.values, ElementsAre(7, 8)) << eval;
      EXPECT_THAT(table.label_names, ElementsAre("b")) << eval;
      EXPECT_THAT(table.feature_names, ElementsAre("x", "y")) << eval;
    }
  }
  EXPECT_THAT(Match(kTrain, kOrders[1]).notes, ElementsAre(HasSubstr("in another order than those of train.csv")));
  EXPECT_THAT(Match(kTrain, kOrders[0]).notes, IsEmpty());
}

TEST(MatchColumnsTest, ReordersEveryRowOfManyColumns) {
  constexpr int kColumns = 7, kRows = 20;
  std::string train = "k", eval, names;
  for (int j = 0; j < kColumns; ++j) train += fmt::format(",c{}", j);
  train += "\na,0,0,0,0,0,0,0\n";
  for (int j = 0; j < kColumns; ++j) eval += fmt::format("c{},", j * 3 % kColumns);
  eval += "k\n";
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kColumns; ++j) eval += fmt::format("{},", 100 * i + j * 3 % kColumns);
    eval += "a\n";
  }
  const CsvTable table = Match(train, eval, "0");
  ASSERT_EQ(table.rows(), kRows);
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kColumns; ++j) EXPECT_EQ(table.values[static_cast<size_t>(i * kColumns + j)], 100 * i + j);
  }
}

TEST(MatchColumnsTest, RefusesOtherColumns) {
  ExpectError(kTrain, "x,z,kind\n1,2,a\n", "eval.csv: no column \"y\", which train.csv has");
  ExpectError(kTrain, "x,y,sort\n1,2,a\n", "eval.csv: line 1: no column \"kind\", the label in train.csv");
  ExpectError(kTrain, "x,kind\n1,a\n", "eval.csv: 1 features, but train.csv has 2: it lacks column \"y\"");
  ExpectError(kTrain, "x,y,z,kind\n1,2,3,a\n",
              "eval.csv: 3 features, but train.csv has 2: column \"z\" is in it alone");
  ExpectError("1,2,a\n3,4,b\n", "1,a\n", "eval.csv: 1 features, but train.csv has 2");
}

TEST(MatchColumnsTest, RefusesAHeaderInOneOfBothAlone) {
  ExpectError(kTrain, "7,8,b\n", "eval.csv: line 1 names no columns, but that of train.csv does");
  ExpectError(kTrain, "7,8,b\n", "eval.csv: line 1 names no columns, but that of train.csv does", "kind");
  ExpectError("1,2,a\n3,4,b\n", kTrain, "eval.csv: line 1 names columns, but that of train.csv does not");
  // A single feature has no order.
  EXPECT_THAT(Match("x,kind\n1,a\n3,b\n", "7,b\n").values, ElementsAre(7));
}

TEST(MatchColumnsTest, ColumnsOfOneNameMustStandWhereTheyStood) {
  EXPECT_THAT(Match("x,x,kind\n1,2,a\n3,4,b\n", "x,x,kind\n7,8,b\n").values, ElementsAre(7, 8));
  ExpectError("x,x,y,kind\n1,2,3,a\n", "y,x,x,kind\n1,2,3,a\n", "eval.csv: two columns are named \"x\"");
  ExpectError("x,x,kind\n1,2,a\n", "x,y,kind\n1,2,a\n", "eval.csv: no column \"x\", which train.csv has");
}

TEST(MatchColumnsTest, ReadsANumberedHeaderWhereTheTrainingFileHasIt) {
  CsvOptions options = Options("-1");
  options.header = CsvOptions::Header::kYes;
  const CsvTable train = ParseCsv("0,1,2\n0.5,1.5,a\n", options, "train.csv");
  options.header = CsvOptions::Header::kAuto;
  CsvTable eval = ParseCsv("1,0,2\n1.5,0.5,a\n", options, "eval.csv", &train);
  MatchColumns(train, eval, options);
  EXPECT_THAT(eval.values, ElementsAre(0.5, 1.5));
}

TEST(NoteSameRowsTest, FindsTrainingRowsInAnyOrderAndSpelling) {
  const auto note = [](const std::string& eval_text) {
    const CsvOptions options = Options("-1");
    const CsvTable train = ParseCsv(kTrain, options, "train.csv");
    CsvTable eval = ParseCsv(eval_text, options, "eval.csv", &train);
    MatchColumns(train, eval, options);
    return NoteSameRows(train, eval, options);
  };
  for (const char* same : {kTrain, "x,y,kind\r\n5.0,6e0,a\r\n1,2,a\r\n", "kind,y,x\nb,4,3\n"}) {
    EXPECT_THAT(note(same), ::testing::Optional(HasSubstr("is one of train.csv as well"))) << same;
  }
  for (const char* other : {"x,y,kind\n1,2,b\n", "x,y,kind\n1,2,a\n3,4.5,b\n"}) {
    EXPECT_EQ(note(other), std::nullopt) << other;
  }
  // Only the last of many rows differs.
  std::string many = "x,y,kind\n";
  for (int i = 0; i < 200; ++i) many += "5,6,a\n";
  EXPECT_TRUE(note(many).has_value());
  EXPECT_EQ(note(many + "5,6.5,a\n"), std::nullopt);
}

}  // namespace
}  // namespace twofour::train
