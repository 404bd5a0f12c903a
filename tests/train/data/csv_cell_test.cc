#include "twofour/train/data/csv_cell.h"

#include <gtest/gtest.h>

#include <string>
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

}  // namespace
}  // namespace twofour::train
