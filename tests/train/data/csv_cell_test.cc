#include "twofour/train/data/csv_cell.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/train/data/csv_reader.h"

namespace twofour::train {
namespace {

TEST(CsvCellTest, QuotesOnlyWhereItMust) {
  EXPECT_EQ(AsCsvCell("plain text", ','), "plain text");
  EXPECT_EQ(AsCsvCell("a,b", ','), "\"a,b\"");
  EXPECT_EQ(AsCsvCell("a,b", ';'), "a,b");
  EXPECT_EQ(AsCsvCell("say \"hi\"", ','), "\"say \"\"hi\"\"\"");
}

TEST(CsvCellTest, TheReaderGivesTheSameTextBack) {
  const std::vector<std::string> texts = {"a", "", " a", "a ", "\"", "\"\"", "a\nb", "\r\n", "x,y;z\tw", "\t"};
  for (const char delimiter : {',', ';', '\t', ' '}) {
    std::string line;
    for (const std::string& text : texts) {
      if (!line.empty()) line += delimiter;
      line += AsCsvCell(text, delimiter);
    }
    CsvReader reader(line, delimiter, "t.csv");
    CsvRow row;
    ASSERT_TRUE(reader.Next(row));
    EXPECT_EQ(row.cells, texts) << "delimiter " << static_cast<int>(delimiter);
    EXPECT_FALSE(reader.Next(row));
  }
}

CsvOptions Separated(char decimal, char thousands) {
  CsvOptions options;
  options.decimal = decimal;
  options.thousands = thousands;
  return options;
}

TEST(ParseCellTest, TakesSeparatorsOfThousandsWhereTheyMayStand) {
  const CsvOptions english = Separated('.', ','), german = Separated(',', '.'), swiss = Separated('.', '\'');
  for (const auto& [cell, number] : std::vector<std::pair<const char*, double>>{{"1,234", 1234},
                                                                                {"1234", 1234},
                                                                                {"-12,345,678.25", -12345678.25},
                                                                                {"+1,000e3", 1e6},
                                                                                {"0.5", 0.5},
                                                                                {"123,456", 123456}}) {
    EXPECT_EQ(ParseCell(cell, english), number) << cell;
  }
  for (const char* cell : {"1,23", "1234,567", ",123", "1,", "1,2345", "12,34,567", "1.234,5", "1,,234", "1,23a",
                           "a,bcd", "1.5,000", "-,123", ","}) {
    EXPECT_EQ(ParseCell(cell, english), std::nullopt) << cell;
  }
  EXPECT_EQ(ParseCell("1.234,5", german), 1234.5);
  EXPECT_EQ(ParseCell("1.5", german), std::nullopt);
  EXPECT_EQ(ParseCell("1'234'567", swiss), 1234567);
  EXPECT_EQ(ParseCell("1,234", Separated('.', '\0')), std::nullopt);
}

TEST(ParseCellTest, BlanksOfAnyWidthPartThousands) {
  const CsvOptions french = Separated(',', ' ');
  for (const char* cell : {"1 234,5",
                           "1\xC2\xA0"
                           "234,5",
                           "1\xE2\x80\xAF"
                           "234,5",
                           "1234,5"}) {
    EXPECT_EQ(ParseCell(cell, french), 1234.5) << cell;
  }
  EXPECT_EQ(ParseCell("1 23", french), std::nullopt);
}

}  // namespace
}  // namespace twofour::train
