// Tables as people have them: words, missing values, columns to leave out, numbers to predict.
#include "twofour/train/data/csv_features.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using Missing = CsvOptions::Missing;
using Use = TableColumn::Use;
using Words = CsvOptions::Words;

CsvOptions WithWords(Missing missing = Missing::kRefuse) {
  CsvOptions options;
  options.words = Words::kCategories;
  options.missing = missing;
  return options;
}

CsvTable Parse(std::string_view text, const CsvOptions& options) { return ParseCsv(text, options, "t.csv"); }

void ExpectError(std::string_view text, const CsvOptions& options, const ::testing::Matcher<std::string>& message) {
  EXPECT_THAT([&] { Parse(text, options); }, ThrowsMessage<Error>(message)) << text;
}

/// The value, with -1 for a missing one.
std::vector<double> Values(const CsvTable& table) {
  std::vector<double> values = table.values;
  for (double& value : values) value = std::isnan(value) ? -1 : value;
  return values;
}

TEST(CsvFeaturesTest, ColumnsOfWordsAreCategoriesInASortedOrder) {
  const CsvTable table = Parse("color,x,k\nred,1,a\nblue,2,b\nred,3,a\n", WithWords());
  EXPECT_THAT(table.columns[0].categories, ElementsAre("blue", "red"));
  EXPECT_THAT(table.columns[1].categories, IsEmpty());
  EXPECT_THAT(table.values, ElementsAre(1, 1, 0, 2, 1, 3));
  EXPECT_TRUE(table.IsCategorical(0));
  EXPECT_FALSE(table.IsCategorical(1));
}

TEST(CsvFeaturesTest, NamedColumnsAreCategoriesWhateverTheyHold) {
  CsvOptions options;
  for (const char* name : {"zip", "0", "-3"}) {
    options.categorical = {name};
    const CsvTable table = Parse("zip,x,k\n10,1,a\n9,2,b\n10,3,a\n", options);
    EXPECT_THAT(table.columns[0].categories, ElementsAre("9", "10"));  // Integers are sorted by value.
    EXPECT_THAT(table.values, ElementsAre(1, 1, 0, 2, 1, 3));
  }
  const CsvTable mixed = Parse("zip,x,k\n10,1,a\nB-7,2,b\n", options);
  EXPECT_THAT(mixed.columns[0].categories, ElementsAre("10", "B-7"));
}

TEST(CsvFeaturesTest, RefusesWordsThatAreNoCategories) {
  ExpectError("s,k\nXL,a\n38,b\n", WithWords(),
              "t.csv: column \"s\": line 3 holds \"38\", a number, and line 2 \"XL\", a word; expected one kind; where "
              "each is a category, data.csv.categorical: \"s\"");
  std::string names = "name,x,k\n";
  for (int i = 0; i < 20; ++i) names += fmt::format("n{},{},a\n", i / 2 * 2 + i % 2, i);
  ExpectError(names, WithWords(),
              HasSubstr("column \"name\": 20 different words in 20 rows, such as \"n0\", from which "
                        "nothing can be learnt; data.csv.drop: \"name\" leaves the column out"));
  CsvOptions named = WithWords();
  named.categorical = {"name"};
  EXPECT_EQ(Parse(names, named).columns[0].categories.size(), 20U);
  std::string many = "name,x,k\n";
  for (int i = 0; i < 3003; ++i) many += fmt::format("n{},1,a\n", i % 1001);
  ExpectError(many, WithWords(), HasSubstr("line 1002, column \"name\": more than 1000 different words"));
  // Numbers in another notation are no words, but "Nan" may be a name.
  ExpectError("s,k\n\"1,234\",a\n", WithWords(), HasSubstr("--set 'data.csv.thousands=,'"));
  EXPECT_THAT(Parse("s,k\nNan,a\nInf,b\n", WithWords()).columns[0].categories, ElementsAre("Inf", "Nan"));
  ExpectError("s,k\n1,a\nnan,b\n", WithWords(), HasSubstr("data.csv.missing says what takes the place"));
  ExpectError("s,k\n,a\nx,b\n", WithWords(),
              HasSubstr("line 2, column \"s\": \"\" is not a finite number; "
                        "data.csv.missing says what takes the place"));
}

TEST(CsvFeaturesTest, MissingValuesAreMarkedWhereTheyMayBe) {
  const std::string text = "color,x,k\nred,NA,a\n?,2,b\nred,,a\n";
  for (const Missing missing : {Missing::kMean, Missing::kCategory}) {
    const CsvTable table = Parse(text, WithWords(missing));
    EXPECT_THAT(Values(table), ElementsAre(0, -1, -1, 2, 0, -1));
    EXPECT_THAT(table.columns[0].categories, ElementsAre("red"));
  }
  ExpectError(text, WithWords(), HasSubstr("line 4, column \"x\": \"\" is not a finite number"));
  // A label is never missing.
  ExpectError("x,k\n1,NA\n", WithWords(Missing::kMean), HasSubstr("the label \"NA\" is missing"));
  EXPECT_THAT(Parse("x,k\n1,NA\n", {}).label_names, ElementsAre("NA"));
  ExpectError("x,k\n1,\n", WithWords(Missing::kMean), HasSubstr("the label is empty"));
}

TEST(CsvFeaturesTest, DroppedColumnsMayHoldAnything) {
  CsvOptions options;
  options.label = "k";
  options.drop = {"id", "note"};
  const CsvTable table = Parse("id,x,note,k\nH1,1,\"a, b\",u\nH2,2,,v\n", options);
  EXPECT_THAT(table.values, ElementsAre(1, 2));
  EXPECT_THAT(table.feature_names, ElementsAre("x"));
  EXPECT_THAT(table.columns[0].use, Use::kDropped);
  options.label = "-1";
  options.drop = {"0", "2"};
  EXPECT_THAT(Parse("7,1,2,u\n8,2,3,v\n", options).values, ElementsAre(1, 2));
  options.drop = {"1", "-2"};
  ExpectError("7,1,u\n", options,
              "t.csv: \"-2\": column 1 (counted from 0) is dropped already, expected each column once");
  options.drop = {"-1"};
  ExpectError("7,1,u\n", options, HasSubstr("column 2 (counted from 0) is the label already"));
  options.drop = {"y"};
  ExpectError("x,z,k\n7,1,u\n", options, HasSubstr("t.csv: data.csv.drop: no column \"y\", expected 0 to 2"));
  options.drop = {"0", "1"};
  ExpectError("7,1,u\n", options, "t.csv: each of the 3 columns is dropped or a target, expected a feature");
  options.drop = {"0"};
  options.categorical = {"0"};
  ExpectError("7,1,u\n", options,
              HasSubstr("data.csv.categorical: column 0 (counted from 0) is dropped, expected a feature"));
}

TEST(CsvFeaturesTest, TargetsAreNumbersInTheOrderOfTheTable) {
  CsvOptions options;
  options.targets = {"z", "y"};
  options.thousands = ',';
  const CsvTable table = Parse("y,x,z\n1,2,\"3,000\"\n4,5,6\n", options);
  EXPECT_FALSE(table.has_labels());
  EXPECT_EQ(table.num_targets, 2);
  EXPECT_THAT(table.targets, ElementsAre(1, 3000, 4, 6));
  EXPECT_THAT(table.values, ElementsAre(2, 5));
  EXPECT_EQ(table.rows(), 2);
  ExpectError("y,x,z\n1,2,tall\n", options,
              AllOf(HasSubstr("line 2, column \"z\": \"tall\" is not a finite number"),
                    ::testing::Not(HasSubstr("data.csv.words")), HasSubstr("classes are data.csv.label")));
  ExpectError("y,x,z\n1,2,NA\n", options,
              "t.csv: line 2, column \"z\": \"NA\" is missing, expected a target in every row");
  options.targets = {"y", "0"};
  ExpectError("y,x,z\n1,2,3\n", options, HasSubstr("column \"y\" is a target already"));
  options.targets = {"w"};
  ExpectError("y,x,z\n1,2,3\n", options, HasSubstr("t.csv: data.csv.target: no column \"w\", expected 0 to 2"));
  options.targets = {"1", "2"};
  ExpectError("x,y,y\n1,2,3\n", options, "t.csv: line 1: several targets are named \"y\", expected different names");
  options.targets = {"-1"};
  EXPECT_THAT(Parse("1,2\n3,4\n", options).targets, ElementsAre(2, 4));
}

TEST(CsvFeaturesTest, HeadersAreGuessedByTargetsAndByWordsThatRecur) {
  CsvOptions options = WithWords();
  options.targets = {"-1"};
  EXPECT_FALSE(Parse("red,S,0.37\nblue,M,4\nred,M,5\n", options).has_header());
  EXPECT_TRUE(Parse("color,size,y\nblue,M,4\nred,M,5\n", options).has_header());
  const CsvTable years = Parse("2001,2002,2003\n1,2,3\n4,5,6\n", options);
  EXPECT_FALSE(years.has_header());
  EXPECT_THAT(years.notes, ElementsAre(HasSubstr("its cells count from 2001 to 2003")));
  options = {};
  options.categorical = {"0", "1"};
  const CsvTable named = Parse("color,size,label\nred,S,a\nblue,S,b\nred,M,a\n", options);
  EXPECT_TRUE(named.has_header());
  EXPECT_THAT(named.notes, ElementsAre(HasSubstr("no other line holds any of its words")));
  EXPECT_FALSE(Parse("blue,S,a\nred,S,a\nblue,S,b\nred,M,a\n", options).has_header());
}

TEST(CsvFeaturesTest, MessagesSayWhatWouldTakeTheCell) {
  const CsvOptions plain;
  ExpectError("w,k\n\"1,234\",a\n", plain,
              AllOf(HasSubstr("--set data.csv.decimal=,"), HasSubstr("--set 'data.csv.thousands=,'")));
  ExpectError("w,k\n\"1'234\",a\n", plain, HasSubstr("--set 'data.csv.thousands=''"));
  ExpectError("w,k\n75%,a\n", plain, HasSubstr("numbers stand alone, without $, % and the like"));
  ExpectError("w,k\nNA,a\n", plain, HasSubstr("data.csv.missing says what takes the place of a missing one"));
  ExpectError("w,k\ntall,a\n", plain, HasSubstr("data.csv.words: CATEGORIES takes words"));
}

}  // namespace
}  // namespace twofour::train
