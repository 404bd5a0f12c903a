#include "twofour/train/data/csv_header.h"

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
using ::testing::ThrowsMessage;

CsvTable Parse(std::string_view text, CsvOptions::Header header = CsvOptions::Header::kAuto,
               const std::string& label = "-1") {
  CsvOptions options;
  options.header = header;
  options.label = label;
  return ParseCsv(text, options, "t.csv");
}

constexpr const char* kRows = "0.5,1.5,ant\n2.5,3.5,bee\n4.5,0.5,ant\n1.5,2.5,bee\n3.5,4.5,ant\n";
constexpr int64_t kRowCount = 5;

void ExpectData(const std::string& first) {
  const CsvTable table = Parse(first + "\n" + kRows);
  EXPECT_EQ(table.rows(), kRowCount + 1) << first;
  EXPECT_THAT(table.feature_names, IsEmpty()) << first;
}

CsvTable ExpectHeader(const std::string& first) {
  CsvTable table = Parse(first + "\n" + kRows);
  EXPECT_EQ(table.rows(), kRowCount) << first;
  EXPECT_EQ(table.feature_names.size(), 2u) << first;
  return table;
}

TEST(GuessHeaderTest, WordsAreNamesAndNumbersAreDataWithoutANote) {
  for (const char* first : {"x,y,kind", ",x,kind", "1stFlrSF,2ndFlrSF,kind", "2024-01-02,2024-01-03,kind", "x,y,9"}) {
    EXPECT_THAT(ExpectHeader(first).notes, IsEmpty()) << first;
  }
  for (const char* first : {"7,8,ant", "3,1,ant", "0,0,bee", "-1e3,4,cow"}) {
    ExpectData(first);
    EXPECT_THAT(Parse(std::string(first) + "\n" + kRows).notes, IsEmpty()) << first;
  }
}

TEST(GuessHeaderTest, AnOddCellBesideNumbersIsAnErrorAsInAnyOtherRow) {
  for (const char* cell : {"?", "N/A", "\"1,234\"", "null", "12%", "$3"}) {
    EXPECT_THAT([&] { Parse(std::string(cell) + ",1.5,ant\n" + kRows); },
                ThrowsMessage<Error>(AllOf(HasSubstr("t.csv: line 1, column 0 (counted from 0)"),
                                           HasSubstr("is not a finite number"), HasSubstr("data.csv.header: YES"))))
        << cell;
    // A user who says that there is a header, or that there is none, is obeyed.
    EXPECT_EQ(Parse(std::string(cell) + ",1.5,ant\n" + kRows, CsvOptions::Header::kYes).rows(), kRowCount);
    EXPECT_THAT([&] { Parse(std::string(cell) + ",1.5,ant\n" + kRows, CsvOptions::Header::kNo); },
                ThrowsMessage<Error>(::testing::Not(HasSubstr("data.csv.header"))));
  }
  EXPECT_THAT([] { Parse(",0,1\n0,0.5,1\n1,1.5,0\n"); }, ThrowsMessage<Error>(HasSubstr("data.csv.header: YES")));
  EXPECT_THAT([] { Parse(std::string("?,NA,ant\n") + kRows); }, ThrowsMessage<Error>(HasSubstr("line 1")));
}

TEST(GuessHeaderTest, AWordBesideNumbersIsDataWhereItsLabelOccursAgain) {
  EXPECT_THAT([] { Parse(std::string("oops,1.5,ant\n") + kRows); },
              ThrowsMessage<Error>(AllOf(HasSubstr("line 1, column 0"), HasSubstr("\"oops\""))));
}

TEST(GuessHeaderTest, OtherMixturesAreNamesWithANote) {
  const auto note = [](const char* number, const char* word) {
    return ElementsAre(AllOf(HasSubstr("t.csv: line 1 was taken for the columns' names, though \"" +
                                       std::string(number) + "\" is a number and \"" + word + "\" is none"),
                             HasSubstr("data.csv.header: YES if it names the columns, NO if not")));
  };
  EXPECT_THAT(ExpectHeader("age,2019,kind").notes, note("2019", "age"));
  EXPECT_THAT(ExpectHeader("0.5,mean,kind").notes, note("0.5", "mean"));
  EXPECT_THAT(ExpectHeader("25%,75%,kind").notes, ElementsAre(HasSubstr("not all of it looks like names")));
  EXPECT_THAT(Parse(std::string("age,2019,kind\n") + kRows, CsvOptions::Header::kYes).notes, IsEmpty());
  // The label's name can only be in a header.
  EXPECT_THAT(Parse(std::string("age,2019,kind\n") + kRows, CsvOptions::Header::kAuto, "kind").notes, IsEmpty());
}

TEST(GuessHeaderTest, NamesWhoseLabelIsAClassAreNoted) {
  EXPECT_THAT(ExpectHeader("x,y,ant").notes,
              ElementsAre(AllOf(HasSubstr("taken for the columns' names, though \"ant\" is a label of other rows"),
                                HasSubstr("data.csv.header"))));
}

TEST(GuessHeaderTest, NumbersThatCountColumnsAreNoted) {
  // A row whose label is of another kind than all below is a header.
  EXPECT_THAT(ExpectHeader("0,1,2").notes, ElementsAre(HasSubstr("taken for the columns' names, though all of its")));
  EXPECT_THAT(Parse("2019,2020,kind\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,1,0\n").rows(), 5);
  // The same row above numbers as labels may be either.
  const CsvTable numbers = Parse("0,1,2\n0.5,1.5,0\n2.5,3.5,1\n4.5,0.5,2\n1.5,2.5,0\n3.5,4.5,1\n");
  EXPECT_EQ(numbers.rows(), 6);
  EXPECT_THAT(numbers.notes,
              ElementsAre(AllOf(HasSubstr("line 1 was taken for data, though its cells count from 0 to 2"),
                                HasSubstr("data.csv.header"))));
  EXPECT_THAT(Parse("0,1\n0.5,1\n1.5,0\n").notes, ElementsAre(HasSubstr("count from 0 to 1")));
  ExpectData("2019,2020,kind");
  EXPECT_THAT(Parse(std::string("2019,2020,kind\n") + kRows).notes,
              ElementsAre(HasSubstr("no other row has its label \"kind\"")));
  const std::string spectra = "1,2,3,a\n3,2,1,b\n2,2,2,a\n1,1,1,b\n5,6,7,a\n";
  EXPECT_THAT(Parse("400,410.5,420,kind\n" + spectra).notes,
              ElementsAre(HasSubstr("its features rise from 400 to 420")));
  EXPECT_THAT(Parse("400,410.5,410.5,kind\n" + spectra).notes, IsEmpty());
  EXPECT_THAT(Parse("400,410.5,420,a\n" + spectra).notes, IsEmpty());
  // No note on a table of whole numbers, and none on a row whose label is a class of other rows.
  EXPECT_THAT(Parse("0,1\n1,0\n5,1\n").notes, IsEmpty());
  EXPECT_THAT(Parse(std::string("3,4,ant\n") + kRows).notes, IsEmpty());
}

TEST(GuessHeaderTest, NoRowIsDroppedInSilence) {
  const char* const kCells[] = {"x", "5", "0.5", "?", "1,5", "", "25%", "ant", "2"};
  for (const std::string first : kCells) {
    for (const std::string second : kCells) {
      for (const char* label : {"ant", "kind", "2"}) {
        const std::string row = '"' + first + "\",\"" + second + "\"," + label;
        const auto names = [](const std::string& cell) { return cell == "x" || cell == "ant" || cell.empty(); };
        try {
          const CsvTable table = Parse(row + "\n" + kRows);
          const bool plain = names(first) && names(second) && std::string(label) != "ant";
          EXPECT_TRUE(table.rows() == kRowCount + 1 || plain || !table.notes.empty()) << row;
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), HasSubstr("t.csv: line 1")) << row;
        }
      }
    }
  }
}

}  // namespace
}  // namespace twofour::train
