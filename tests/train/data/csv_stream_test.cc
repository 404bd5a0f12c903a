#include "twofour/train/data/csv_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/data/idx_test_data.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Rows = std::vector<std::pair<int64_t, std::vector<std::string>>>;

Rows ReadWhole(const std::string& text) {
  CsvReader reader(text, ',', "t.csv");
  Rows rows;
  for (CsvRow row; reader.Next(row);) rows.emplace_back(row.line, row.cells);
  return rows;
}

Rows ReadInBlocks(const std::string& text, size_t block) {
  std::istringstream in(text);
  CsvStream stream(in, ',', "t.csv", block);
  Rows rows;
  for (CsvRow row; stream.Next(row);) rows.emplace_back(row.line, row.cells);
  return rows;
}

TEST(CsvStreamTest, BlocksOfAnySizeGiveTheRowsOfTheWhole) {
  for (const std::string text : {"a,b\nc,d\n", "a,b\r\nc,d\r\n\r\ne,f", "a\rb\r\rc", "\xEF\xBB\xBFx,y\n1,2\n", "",
                                 "\n\n", "one", "\"a\nb\",\"say \"\"hi\"\"\"\nc,\"\"\n",
                                 "\"x\r\n\",y\r\n\r\n  \r\nlast,\"1\n2\r3\"\r\n", " \"a\" , b \n\"\",\n"}) {
    for (size_t block = 1; block <= text.size() + 2; ++block) {
      EXPECT_EQ(ReadInBlocks(text, block), ReadWhole(text))
          << testing::PrintToString(text) << " in blocks of " << block;
    }
  }
}

TEST(CsvStreamTest, FaultsHaveTheLineOfTheFile) {
  const std::string start = "a,b\n\"two\nlines\",2\n\n";
  for (const size_t block : {1, 7, 1000}) {
    EXPECT_THAT([&] { ReadInBlocks(start + "x,5\" pipe\nc,d\n", block); },
                ThrowsMessage<Error>("t.csv: line 5: a quote inside a cell that does not begin with one"));
    EXPECT_THAT([&] { ReadInBlocks(start + "x,\"y\nz\n", block); },
                ThrowsMessage<Error>("t.csv: line 5: a quote is opened and never closed"));
    EXPECT_THAT([&] { ReadInBlocks(start + std::string("x\0y,1\n", 6), block); },
                ThrowsMessage<Error>(HasSubstr("t.csv: line 5: NUL byte")));
  }
  EXPECT_THAT([&] { ReadInBlocks("PK\x03\x04" + std::string(100, 'x') + "\n", 16); },
              ThrowsMessage<Error>(HasSubstr("expected a table in text")));
}

TEST(CsvStreamTest, RefusesRowsWithoutEnd) {
  const std::string text = "a,b\n1,\"" + std::string(CsvStream::kMaxRowBytes + 3 * CsvStream::kBlockBytes, 'x');
  EXPECT_THAT([&] { ReadInBlocks(text, CsvStream::kBlockBytes); },
              ThrowsMessage<Error>("t.csv: line 2: a row of more than 64 MiB: is a quote opened and never closed?"));
}

TEST(CsvStreamTest, OpensTablesGzippedOrNot) {
  const test::TempDir dir;
  const std::string path = (dir / "t.csv").string(), zipped = (dir / "z.csv.gz").string();
  test::WriteTextFile(path, "a,b\n1,2\n");
  test::WriteTextFile(zipped, Gzip("a,b\n1,2\n"));
  for (const std::string& table : {path, zipped}) {
    const std::unique_ptr<std::istream> in = OpenTable(table);
    CsvStream stream(*in, ',', table);
    CsvRow row;
    ASSERT_TRUE(stream.Next(row));
    EXPECT_EQ(row.cells, (std::vector<std::string>{"a", "b"}));
    ASSERT_TRUE(stream.Next(row));
    EXPECT_EQ(row.cells, (std::vector<std::string>{"1", "2"}));
    EXPECT_FALSE(stream.Next(row));
  }
  test::WriteTextFile(zipped, Gzip("a,b\n1,2\n").substr(0, 20));
  EXPECT_THAT([&] { OpenTable(zipped); }, ThrowsMessage<Error>(HasSubstr(zipped)));
  EXPECT_THAT([&] { OpenTable(dir / "none.csv"); }, ThrowsMessage<Error>(HasSubstr("none.csv")));
}

}  // namespace
}  // namespace twofour::train
