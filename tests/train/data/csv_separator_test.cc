#include "twofour/train/data/csv_separator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_table.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

CsvTable Parse(std::string_view text, char delimiter = ',', char decimal = '.') {
  CsvOptions options;
  options.delimiter = delimiter;
  options.decimal = decimal;
  return ParseCsv(text, options, "t.csv");
}

void ExpectError(std::string_view text, const ::testing::Matcher<std::string>& message, char delimiter = ',',
                 char decimal = '.') {
  EXPECT_THAT([&] { Parse(text, delimiter, decimal); }, ThrowsMessage<Error>(message)) << text;
}

TEST(CsvSeparatorTest, ReadsDelimiters) {
  EXPECT_EQ(ParseDelimiter(";"), ';');
  for (const char* tab : {"\t", "\\t", "tab"}) EXPECT_EQ(ParseDelimiter(tab), '\t') << tab;
  for (const char* wrong : {"", ";;", "tabs", "\"", "\n", "\r"})
    EXPECT_EQ(ParseDelimiter(wrong), std::nullopt) << wrong;
  EXPECT_EQ(ParseDelimiter(std::string_view("\0", 1)), std::nullopt);
}

TEST(CsvSeparatorTest, AFileOfAnotherSeparatorIsToldOfByName) {
  ExpectError(
      "x;y;kind\n1;2;a\n",
      "t.csv: line 1 has 1 column, expected features and a label, separated by ','; line 1 holds ';' 2 times: if "
      "columns are separated by it, --set 'data.csv.delimiter=;'");
  ExpectError("x\ty\tkind\n1\t2\ta\n",
              AllOf(HasSubstr("holds a tab 2 times"), HasSubstr("--set data.csv.delimiter=tab")));
  ExpectError("x|kind\n1|a\n", AllOf(HasSubstr("holds '|' once"), HasSubstr("--set 'data.csv.delimiter=|'")));
  ExpectError("x,y\n1,a\n", AllOf(HasSubstr("separated by ';'"), HasSubstr("--set data.csv.delimiter=,")), ';');
  ExpectError("x y k\n1 2 a\n", HasSubstr("holds a blank 2 times"));
  ExpectError("# a table\nx,k\n1,a\n", Not(HasSubstr("delimiter")));
  ExpectError("\"x\";\"y\"\n1;2\n", HasSubstr("separated by ';', --set 'data.csv.delimiter=;'"));
  ExpectError("\"x\"\t\"y\"\n1\t2\n", HasSubstr("separated by a tab, --set data.csv.delimiter=tab"));
  ExpectError("sep=,\nx,y,k\n1,2,a\n", HasSubstr("line 1 is a spreadsheet's mark and no row of the table: remove it"));
  ExpectError("sep=;\nx;k\n1;a\n", HasSubstr("--set 'data.csv.delimiter=;'"));
  // Decimal commas split such a line into several columns.
  ExpectError("0,5;1,25;a\n-2,5;3,5;b\n", HasSubstr("line 1 holds ';' 2 times"));
  EXPECT_THAT(
      Parse("0,5;a\n1,5;b\n0,25;a\n").notes,
      ElementsAre("t.csv: every label holds ';': if columns are separated by it, --set 'data.csv.delimiter=;'"));
}

TEST(CsvSeparatorTest, TakesDecimalCommasWhereToldTo) {
  const CsvTable table = Parse("x;y;k\n0,5;-1,25e1;a\n+3;7;b\n", ';', ',');
  EXPECT_THAT(table.values, ElementsAre(0.5, -12.5, 3, 7));
  EXPECT_THAT(Parse("0,5;1,5;a\n2,5;3;b\n", ';', ',').feature_names, IsEmpty());
  EXPECT_THAT(Parse("x,k\n\"0,5\",a\n\"1,5\",b\n", ',', ',').values, ElementsAre(0.5, 1.5));
  const char* const shared =
      "; ',' is both data.csv.delimiter and data.csv.decimal, expected two characters, or quotes around numbers with "
      "decimals";
  ExpectError("x,k\n0,5,a\n", std::string("t.csv: line 2 has 3 columns, line 1 has 2") + shared, ',', ',');
  ExpectError("x,k\n0.5,a\n", HasSubstr(std::string("is not a finite number with a decimal comma") + shared), ',', ',');
  ExpectError("x.k\n0.5.a\n", HasSubstr("line 2 has 3 columns, line 1 has 2; '.' is both data.csv.delimiter"), '.');
  ExpectError("x;k\n0,5;a\n",
              HasSubstr("\"0,5\" is not a finite number; if the comma stands before decimals, --set "
                        "data.csv.decimal=,"),
              ';');
  for (const char* cell : {"1.5", "1,2,3", "1.234,5", ","}) {
    ExpectError("x;k\n" + std::string(cell) + ";a\n", HasSubstr("is not a finite number with a decimal comma"), ';',
                ',');
  }
  ExpectError("x,k\nnan,a\n", HasSubstr("line 2, column \"x\": \"nan\" is not a finite number; data.csv.missing says"));
}

TEST(CsvSeparatorTest, LeavesOutColumnsThatAreEmptyInEveryLine) {
  for (const char* text : {"x,y,kind,\n1,2,a,\n3,4,b,\n", "x,y,kind,,,\n1,2,a,,,\n3,4,b,,,\n", "1,2,a,\n3,4,b,\n"}) {
    const CsvTable table = Parse(text);
    EXPECT_THAT(table.values, ElementsAre(1, 2, 3, 4)) << text;
    EXPECT_THAT(table.label_names, ElementsAre("a", "b")) << text;
    EXPECT_THAT(table.notes, ElementsAre(HasSubstr("left out"))) << text;
  }
  // A column without a name is still a column.
  EXPECT_THAT(Parse("x,y,\n1,2,a\n3,4,b\n").label_names, ElementsAre("a", "b"));
  EXPECT_THAT(Parse("x,y,\n1,2,a\n3,4,b\n").notes, IsEmpty());
  ExpectError("x,y,\n1,2,\n3,4,b\n", "t.csv: line 2, column \"\": the label is empty");
  ExpectError(
      "x,y,kind,\n1,2,a,\n3,4,b,c\n",
      HasSubstr("column \"kind\": \"a\" is not a finite number; the label is the column \"\" (data.csv.label)"));
  ExpectError("x,y,kind\n1,2,a,\n",
              "t.csv: line 2 has 4 columns, the last of them empty, since it ends in ',', line 1 has 3");
}

}  // namespace
}  // namespace twofour::train
