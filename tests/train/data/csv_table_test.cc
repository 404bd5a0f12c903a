#include "twofour/train/data/csv_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using Header = CsvOptions::Header;

CsvTable Parse(std::string_view text, const std::string& label = "-1", Header header = Header::kAuto) {
  CsvOptions options;
  options.label = label;
  options.header = header;
  return ParseCsv(text, options, "t.csv");
}

void ExpectError(std::string_view text, const std::string& message, const std::string& label = "-1",
                 Header header = Header::kAuto) {
  EXPECT_THAT([&] { Parse(text, label, header); }, ThrowsMessage<Error>(message)) << text;
}

TEST(ParseCsvTest, ReadsFeaturesAndLabels) {
  const CsvTable table = Parse("w,h,kind\n1,2.5,cat\n-3e2,+4,dog\n.5,1e-60,cat\n");
  EXPECT_THAT(table.feature_names, ElementsAre("w", "h"));
  EXPECT_EQ(table.features, 2);
  EXPECT_EQ(table.rows(), 3);
  EXPECT_THAT(table.values, ElementsAre(1, 2.5, -300, 4, 0.5, 1e-60));
  EXPECT_THAT(table.labels, ElementsAre(0, 1, 0));
  EXPECT_THAT(table.label_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(table.lines, ElementsAre(2, 3, 4));
}

TEST(ParseCsvTest, FindsTheLabelByNameOrIndex) {
  for (const char* label : {"kind", "1", "-2"}) {
    const CsvTable table = Parse("w,kind,h\n1,2,3\n", label);
    EXPECT_THAT(table.values, ElementsAre(1, 3)) << label;
    EXPECT_THAT(table.feature_names, ElementsAre("w", "h")) << label;
    EXPECT_THAT(table.label_names, ElementsAre("2")) << label;
  }
  // A column's name takes precedence over an index.
  EXPECT_THAT(Parse("1,0,x\n7,8,9\n", "0").label_names, ElementsAre("8"));
}

TEST(ParseCsvTest, GuessesWhetherThereIsAHeader) {
  EXPECT_EQ(Parse("1,2,a\n3,4,b\n").rows(), 2);
  EXPECT_THAT(Parse("1,2,a\n3,4,b\n").feature_names, IsEmpty());
  EXPECT_EQ(Parse("1,y,a\n3,4,b\n").rows(), 1);
  EXPECT_EQ(Parse("a,1,2\n3,4,5\n", "0").rows(), 2);
  EXPECT_EQ(Parse("1,2,a\n3,4,b\n", "a").rows(), 1);  // A label that is given by name must be in a header.
  // A missing value does not turn a row of data into a header.
  ExpectError("1,,a\n3,4,b\n", "t.csv: line 1, column 1 (counted from 0): \"\" is not a finite number");
}

TEST(ParseCsvTest, TakesAWordOnTheHeader) {
  EXPECT_EQ(Parse("1,2,a\n3,4,b\n", "-1", Header::kYes).rows(), 1);
  ExpectError("x,y,kind\n3,4,b\n", "t.csv: line 1, column 0 (counted from 0): \"x\" is not a finite number", "-1",
              Header::kNo);
}

TEST(ParseCsvTest, RefusesRaggedRows) {
  ExpectError("1,2,3,4,a\n1,2,3,b\n", "t.csv: line 2 has 4 columns, line 1 has 5");
  ExpectError("x,y\n1,a\n\n2\n", "t.csv: line 4 has 1 column, line 1 has 2");
  ExpectError("x,y\n1,a,\n", "t.csv: line 2 has 3 columns, the last of them empty, since it ends in ',', line 1 has 2");
}

TEST(ParseCsvTest, RefusesWhatIsNoNumber) {
  ExpectError("w,h,k\n1,2,a\n1,tall,b\n",
              "t.csv: line 3, column \"h\": \"tall\" is not a finite number; "
              "data.csv.words: CATEGORIES takes words, data.csv.drop leaves a column out");
  for (const char* cell : {"nan", "inf", "-inf", "1e999", "1 2", "1,", "0x10", "1.5f", "+-1", "++1", "--1", "-", "."}) {
    EXPECT_THAT([&] { Parse("w,h,k\n1," + std::string(cell) + ",a\n"); }, ThrowsMessage<Error>(HasSubstr("line 2")))
        << cell;
  }
  for (const char* cell : {"1e-400", "1e400", "-1e999"}) {
    ExpectError("w,k\n" + std::string(cell) + ",a\n", "t.csv: line 2, column \"w\": \"" + std::string(cell) +
                                                          "\" is not a 64-bit float: it is beyond the range of one");
  }
}

TEST(ParseCsvTest, TakesLargeNumbersWhereTheyAreScaled) {
  EXPECT_THAT(Parse("w,k\n1e39,a\n-1e307,b\n").values, ElementsAre(1e39, -1e307));
  ExpectError("w,k\n1e308,a\n", "t.csv: line 2, column \"w\": \"1e308\" is too large, even for a 64-bit float");
  CsvOptions options;
  options.standardize = false;
  EXPECT_THAT([&] { ParseCsv("w,k\n1e39,a\n", options, "t.csv"); },
              ThrowsMessage<Error>("t.csv: line 2, column \"w\": \"1e39\" is not a 32-bit float"));
}

TEST(ParseCsvTest, MessagesStayShortAndOnOneLine) {
  ExpectError("w,k\n\"a\nb" + std::string(100, 'x') + "\",c\n",
              "t.csv: line 2, column \"w\": \"a?b" + std::string(37, 'x') +
                  "...\" is not a finite number; "
                  "data.csv.words: CATEGORIES takes words, data.csv.drop leaves a column out");
}

TEST(ParseCsvTest, RefusesMissingLabels) {
  ExpectError("w,h,kind\n1,2,a\n",
              "t.csv: label: no column \"species\", expected 0 to 2, -1 to -3 or one of \"w\", \"h\", \"kind\"",
              "species");
  ExpectError("1,2,a\n", "t.csv: label: no column \"3\", expected 0 to 2, -1 to -3 (there is no header)", "3",
              Header::kNo);
  ExpectError("1,2,a\n", "t.csv: label: no column \"-4\", expected 0 to 2, -1 to -3 (there is no header)", "-4",
              Header::kNo);
  ExpectError("1,2,a\n", "t.csv: label: no column \"kind\", expected 0 to 2, -1 to -3 (there is no header)", "kind",
              Header::kNo);
  ExpectError("x,k,k\n1,2,a\n", "t.csv: line 1: 2 columns are named \"k\", the label", "k");
  ExpectError("x,k\n1,a\n2,\n", "t.csv: line 3, column \"k\": the label is empty");
}

TEST(ParseCsvTest, ListsTheFirstOfManyColumns) {
  std::string header = "c0";
  for (int i = 1; i < 30; ++i) header += ",c" + std::to_string(i);
  EXPECT_THAT([&] { Parse(header + "\n", "x"); }, ThrowsMessage<Error>(HasSubstr("\"c19\" and 10 more")));
}

TEST(ParseCsvTest, RefusesFilesWithoutData) {
  ExpectError("", "t.csv: the file is empty");
  ExpectError("\n\r\n", "t.csv: the file is empty");
  ExpectError("\xEF\xBB\xBF", "t.csv: the file is empty");
  ExpectError("x,y,kind\n", "t.csv: no rows after the header");
  ExpectError("1\n2\n", "t.csv: line 1 has 1 column, expected features and a label, separated by ','");
}

TEST(ParseCsvTest, RefusesMeasurementsAsLabels) {
  std::string text = "x,price\n";
  for (int i = 0; i < 65536; ++i) text += "1," + std::to_string(i) + "\n";
  EXPECT_EQ(Parse(text).label_names.size(), 65536u);
  ExpectError(text + "1,more\n",
              "t.csv: line 65538, column \"price\": more than 65536 distinct labels; is this the column of the class "
              "(data.csv.label)? To predict a number, name it in data.csv.target");
}

TEST(ParseCsvTest, NoTruncationCrashes) {
  const std::string text = "\xEF\xBB\xBFw,\"h\",kind\r\n1,2,\"a\"\"b\"\r\n-1.5e3, 4,\"c\nd\"\r\n\r\n";
  for (size_t length = 0; length <= text.size(); ++length) {
    try {
      const CsvTable table = Parse(std::string_view(text).substr(0, length));
      EXPECT_GT(table.rows(), 0) << length;
      EXPECT_EQ(static_cast<int64_t>(table.values.size()), table.rows() * table.features) << length;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("t.csv: "));
    }
  }
}

}  // namespace
}  // namespace twofour::train
