#include "twofour/train/data/csv_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

using Rows = std::vector<std::vector<std::string>>;

Rows Read(std::string_view text, char delimiter = ',') {
  CsvReader reader(text, delimiter, "t.csv");
  Rows rows;
  CsvRow row;
  while (reader.Next(row)) rows.push_back(row.cells);
  return rows;
}

void ExpectError(std::string_view text, const char* message) {
  EXPECT_THAT([&] { Read(text); }, ThrowsMessage<Error>(message));
}

TEST(CsvReaderTest, SplitsRowsAndCells) {
  EXPECT_EQ(Read("a,b\nc,d"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(Read("a;b,c", ';'), (Rows{{"a", "b,c"}}));
  EXPECT_EQ(Read(",,"), (Rows{{"", "", ""}}));
  EXPECT_EQ(Read(""), Rows{});
}

TEST(CsvReaderTest, TakesAllLineEndings) {
  for (const char* text : {"a,b\nc,d\n", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "a,b\nc,d\n\n\r\n"}) {
    EXPECT_EQ(Read(text), (Rows{{"a", "b"}, {"c", "d"}})) << text;
  }
}

TEST(CsvReaderTest, SkipsEmptyLinesAndCountsThem) {
  EXPECT_EQ(Read("\n\na,b\n  \t\n\r\nc,d\n \n"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(Read("a\n\"\"\nb"), (Rows{{"a"}, {""}, {"b"}}));
  EXPECT_EQ(Read("a\tb\n\t\n", '\t'), (Rows{{"a", "b"}, {"", ""}}));
  CsvReader reader("a\n\n\r\n\rb", ',', "t.csv");
  CsvRow row;
  EXPECT_TRUE(reader.Next(row) && reader.Next(row));
  EXPECT_EQ(row.line, 5);
}

TEST(CsvReaderTest, SkipsAByteOrderMark) { EXPECT_EQ(Read("\xEF\xBB\xBFx,y"), (Rows{{"x", "y"}})); }

TEST(CsvReaderTest, DropsBlanksAroundCells) {
  EXPECT_EQ(Read(" a b ,\t\"c \" ,  \n"), (Rows{{"a b", "c ", ""}}));
  EXPECT_EQ(Read("a\t\tb", '\t'), (Rows{{"a", "", "b"}}));
  EXPECT_EQ(Read("a  b", ' '), (Rows{{"a", "", "b"}}));
}

TEST(CsvReaderTest, TakesQuotedCells) {
  EXPECT_EQ(Read("\"a,b\",\"say \"\"hi\"\"\",\"\"\nc,d,e"), (Rows{{"a,b", "say \"hi\"", ""}, {"c", "d", "e"}}));
  EXPECT_EQ(Read("\"two\r\nlines\",x"), (Rows{{"two\r\nlines", "x"}}));
}

TEST(CsvReaderTest, CountsLinesOfTheFileNotRows) {
  CsvReader reader("a\r\n\"b\nb\"\nc", ',', "t.csv");
  std::vector<int64_t> lines;
  CsvRow row;
  while (reader.Next(row)) lines.push_back(row.line);
  EXPECT_THAT(lines, ElementsAre(1, 2, 4));
}

TEST(CsvReaderTest, RefusesMisplacedQuotes) {
  ExpectError("a,b\n\"c,d\ne\n", "t.csv: line 2: a quote is opened and never closed");
  ExpectError("a,b\nc,\"d\"e\n", "t.csv: line 2: text after a closing quote");
  ExpectError("a,b\n5'6\",e\n", "t.csv: line 2: a quote inside a cell that does not begin with one");
}

TEST(CsvReaderTest, RefusesNulBytes) {
  ExpectError(std::string_view("a\nb\0", 4), "t.csv: line 2: NUL byte (byte 3 of the file), expected UTF-8 text");
}

TEST(CsvReaderTest, NamesFilesThatAreNoText) {
  using std::string_view_literals::operator""sv;
  ExpectError(
      "\xff\xfe"
      "a\0,\0b\0"sv,
      "t.csv: text in UTF-16, expected UTF-8: save it anew in that encoding");
  ExpectError("PK\x03\x04\x14\0"sv,
              "t.csv: a zip archive, as .npz, PyTorch's .pt and .xlsx files are, expected a table in text (CSV)");
  ExpectError("\x1f\x8b\x08\0"sv, "t.csv: a gzip file, expected a table in text (CSV)");
  EXPECT_EQ(Read("PAR1,b"), (Rows{{"PAR1", "b"}}));
}

TEST(CsvReaderTest, RefusesTooManyColumns) {
  EXPECT_EQ(Read(std::string(99'999, ','))[0].size(), 100'000u);
  ExpectError("\n" + std::string(100'000, ','), "t.csv: line 2: more than 100000 columns");
}

TEST(CsvReaderTest, RefusesDelimitersThatMeanSomethingElse) {
  for (char delimiter : {'"', '\n', '\r', '\0'}) EXPECT_THROW(Read("a", delimiter), Error);
}

}  // namespace
}  // namespace twofour::train
