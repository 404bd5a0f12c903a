#include "twofour/train/data/csv.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "twofour/core/error.h"
#include "twofour/train/data/shuffle.h"

#include "tests/support/temp_dir.h"
#include "tests/train/data/idx_test_data.h"
#include "tests/train/data/test_files.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Batch All(const Dataset& dataset) { return dataset.Get(AllIndices(dataset.size())); }

class LoadCsvTest : public ::testing::Test {
 protected:
  CsvOptions Options(std::string_view text) {
    CsvOptions options;
    options.path = WriteTestFile(dir_ / "train.csv", text);
    return options;
  }
  CsvOptions Options(std::string_view text, std::string_view eval_text) {
    CsvOptions options = Options(text);
    options.eval_path = WriteTestFile(dir_ / "eval.csv", eval_text);
    return options;
  }
  std::string Path(const char* name) const { return (dir_ / name).string(); }
  void ExpectError(const CsvOptions& options, const std::string& message) {
    EXPECT_THAT([&] { LoadCsv(options); }, ThrowsMessage<Error>(message));
  }

  test::TempDir dir_;
};

TEST_F(LoadCsvTest, ReadsGzippedTables) {
  const std::string text = "a,k\n1,x\n3,y\n\n5,x\n";
  const DataSplit plain = LoadCsv(Options(text, text)), zipped = LoadCsv(Options(Gzip(text), Gzip(text)));
  EXPECT_EQ(zipped.train->size(), 3);
  EXPECT_EQ(zipped.class_names, plain.class_names);
  EXPECT_EQ(zipped.table->scaling.mean, plain.table->scaling.mean);
  ExpectError(Options(Gzip(text).substr(0, 30)),
              Path("train.csv") + ": byte 30: corrupt gzip data: the file ends early");
}

TEST_F(LoadCsvTest, StandardisesWithTheTrainingSamplesStatistics) {
  const DataSplit split = LoadCsv(Options("a,b,k\n1,7,x\n3,7,y\n5,7,x\n", "a,b,k\n9,8,y\n"));
  // Mean 3, variance (4 + 0 + 4) / 3; column b is constant.
  const float stddev = std::sqrt(8.0F / 3.0F);
  EXPECT_THAT(split.table->scaling.mean, ElementsAre(3, 7));
  EXPECT_THAT(split.table->scaling.stddev, ElementsAre(std::sqrt(8.0 / 3.0), 1));
  EXPECT_THAT(All(*split.train).inputs.ToVector(),
              ElementsAre(::testing::FloatEq(-2 / stddev), 0, 0, 0, ::testing::FloatEq(2 / stddev), 0));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(::testing::FloatEq(6 / stddev), 1));
  EXPECT_THAT(All(*split.eval).targets.ToVector(), ElementsAre(1));
}

TEST_F(LoadCsvTest, HoldsOutAPartWhoseStatisticsDoNotCount) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i * i) + "," + (i % 3 == 0 ? "x" : "y") + "\n";
  CsvOptions options = Options(text);
  options.eval_fraction = 0.3;
  const DataSplit split = LoadCsv(options);
  ASSERT_EQ(split.train->size(), 70);
  ASSERT_EQ(split.eval->size(), 30);
  double sum = 0, squares = 0;
  for (float value : All(*split.train).inputs.ToVector()) {
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 70, 0, 1e-6);
  EXPECT_NEAR(squares / 70, 1, 1e-6);
  // After undoing the scaling, every number is there once with its own label.
  std::vector<bool> seen(100);
  for (const Dataset* part : {split.train.get(), split.eval.get()}) {
    const Batch batch = All(*part);
    for (int64_t i = 0; i < part->size(); ++i) {
      const double value =
          batch.inputs.data<float>()[i] * split.table->scaling.stddev[0] + split.table->scaling.mean[0];
      const auto root = std::lround(std::sqrt(std::max(value, 0.0)));
      EXPECT_NEAR(value, static_cast<double>(root * root), 0.01);
      EXPECT_EQ(batch.targets.data<int32_t>()[i], root % 3 == 0 ? 0 : 1);
      seen[root] = true;
    }
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 100);
  EXPECT_EQ(All(*LoadCsv(options).train).inputs.ToVector(), All(*split.train).inputs.ToVector());
  options.split_seed = 2;
  EXPECT_NE(All(*LoadCsv(options).train).inputs.ToVector(), All(*split.train).inputs.ToVector());
}

TEST_F(LoadCsvTest, KeepsThePrecisionOfLargeNumbersAndTheScaleOfConstants) {
  // As 32-bit floats both timestamps would be equal. The mean of a thousand 0.1 is not 0.1 to the last bit.
  std::string text = "time,c,k\n1700000000,0.1,x\n1700000001,0.1,y\n";
  for (int i = 0; i < 499; ++i) text += "1700000000,0.1,x\n1700000001,0.1,y\n";
  const DataSplit split = LoadCsv(Options(text, "time,c,k\n1700000000,0.1,x\n1700000001,0.6,y\n"));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(-1, 0, 1, 0.5));
}

TEST_F(LoadCsvTest, LeavesFeaturesAloneWhenToldTo) {
  CsvOptions options = Options("1,x\n3,y\n", "5,y\n");
  options.standardize = false;
  const DataSplit split = LoadCsv(options);
  EXPECT_THAT(All(*split.train).inputs.ToVector(), ElementsAre(1, 3));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(5));
  EXPECT_TRUE(split.table->scaling.mean.empty());
  EXPECT_TRUE(split.table->scaling.stddev.empty());
}

TEST_F(LoadCsvTest, SortsClasses) {
  EXPECT_THAT(LoadCsv(Options("1,b\n1,a\n1,B\n1,b\n", "1,a\n")).class_names, ElementsAre("B", "a", "b"));
  const DataSplit numbers = LoadCsv(Options("1,10\n1,-3\n1,2\n", "1,2\n1,10\n"));
  EXPECT_THAT(numbers.class_names, ElementsAre("-3", "2", "10"));
  EXPECT_THAT(All(*numbers.train).targets.ToVector(), ElementsAre(2, 0, 1));
  EXPECT_THAT(All(*numbers.eval).targets.ToVector(), ElementsAre(1, 2));
  EXPECT_THAT(LoadCsv(Options("1,10\n1,2\n1,x\n", "1,2\n")).class_names, ElementsAre("10", "2", "x"));
}

TEST_F(LoadCsvTest, DescribesItself) {
  const CsvOptions options = Options("1,x\n2,y\n3,x\n", "5,y\n");
  EXPECT_EQ(LoadCsv(options).description,
            "csv " + options.path + ", " + options.eval_path +
                ": 3 training and 1 evaluation samples of 1 features, 2 classes, header: no");
  EXPECT_THAT(LoadCsv(Options("a,k\n1,x\n2,y\n3,x\n", "a,k\n5,y\n")).description, HasSubstr(", header: yes"));
}

TEST_F(LoadCsvTest, RefusesUnknownEvaluationClasses) {
  ExpectError(Options("1,x\n3,y\n", "5,y\n6,z\n7,z\n"),
              Path("eval.csv") + ": line 2: class \"z\" does not occur in " + Path("train.csv"));
}

TEST_F(LoadCsvTest, AnUnknownEvaluationClassMayBeOneInAnotherSpelling) {
  ExpectError(
      Options("1,yes\n3,no\n", "5,no\n6,\"Yes \"\n"),
      Path("eval.csv") + ": line 2: class \"Yes \" does not occur in " + Path("train.csv") + ", which has \"yes\"");
  ExpectError(Options("1,1\n3,2\n", "5,1.0\n"), Path("eval.csv") + ": line 1: class \"1.0\" does not occur in " +
                                                    Path("train.csv") + ", which has \"1\"");
}

TEST_F(LoadCsvTest, RefusesAMeasuredLabel) {
  std::string text = "sex,size,price\n";
  for (int i = 0; i < 50; ++i) text += fmt::format("{},{},{}\n", i % 2, i * i, 100 + 0.37 * i);
  CsvOptions options = Options(text);
  ExpectError(options,
              Path("train.csv") +
                  ": column \"price\", the label, holds 50 different numbers in 50 rows, from 100 to 118.13: a "
                  "measured quantity and not classes. To predict it, data.csv.target: \"price\". Otherwise expected "
                  "the column of "
                  "the class (data.csv.label); columns of few values: \"sex\" (2); or, where each number is a "
                  "class, data.csv.numeric_classes: true");
  options.label = "sex";
  EXPECT_EQ(LoadCsv(options).class_names.size(), 2u);
  options.label = "price";
  options.numeric_classes = true;
  options.eval_path = WriteTestFile(dir_ / "eval.csv", "sex,size,price\n0,1,100\n");
  EXPECT_EQ(LoadCsv(options).class_names.size(), 50u);
  EXPECT_THAT(LoadCsv(options).notes, ElementsAre(HasSubstr("and 44 more occur once in all samples")));
}

TEST_F(LoadCsvTest, RefusesAMeasuredLabelWithoutAHeader) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += fmt::format("{},{},{}\n", 0.1 * i, 100 + 0.37 * i, i % 2);
  CsvOptions options = Options(text);
  options.label = "1";
  EXPECT_THAT([&] { LoadCsv(options); },
              ThrowsMessage<Error>(AllOf(HasSubstr("column 1 (counted from 0), the label, holds 50 different"),
                                         HasSubstr("; columns of few values: 2 (2); or"))));
}

TEST_F(LoadCsvTest, RefusesAnEvaluationThatHasNoClassInCommon) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += fmt::format("{},person {}\n", i % 7, i);
  EXPECT_THAT([&] { LoadCsv(Options(text)); },
              ThrowsMessage<Error>(HasSubstr("none of the 8 evaluation samples is of a class that occurs")));
}

TEST_F(LoadCsvTest, NotesWhatIsOdd) {
  std::string text = "a,b,copy,k\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("{},7,{},{}\n", i * i % 11, i % 2, i % 2);
  EXPECT_THAT(LoadCsv(Options(text)).notes, ElementsAre("feature \"b\": the same value in all rows to train on",
                                                        "feature \"copy\" equals the label in every row"));
  text = "";
  for (int i = 0; i < 20; ++i) text += fmt::format("{},{}\n", i * i % 11, i % 2 == 0 ? "no" : "yes");
  EXPECT_THAT(
      LoadCsv(Options(text + "3,\" YES\"\n4,\"YES \"\n5,YES\n")).notes,
      ::testing::Contains(AllOf(HasSubstr("look like one class spelled in 4 ways"), HasSubstr("\"YES \" (1)"))));
}

TEST_F(LoadCsvTest, NotesAClassWhoseOnlyRowWasHeldOut) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += fmt::format("{},{}\n", i, i % 2 == 0 ? "a" : "b");
  CsvOptions options = Options(text + "30,rare\n");
  bool held_out = false, trained = false;
  for (options.split_seed = 1; options.split_seed < 40; ++options.split_seed) {
    const DataSplit split = LoadCsv(options);
    const bool in_eval = split.eval->ClassCounts()[2] == 1;
    const auto unseen = HasSubstr("class \"rare\" occurs in evaluation alone: 1 of its 6 samples can never be right");
    EXPECT_EQ(::testing::Value(split.notes, ::testing::Contains(unseen)), in_eval);
    EXPECT_THAT(split.notes, ::testing::Contains("class \"rare\" occurs once in all samples"));
    (in_eval ? held_out : trained) = true;
  }
  EXPECT_TRUE(held_out && trained);
}

TEST_F(LoadCsvTest, AByteOrderMarkBelongsToNoClass) {
  CsvOptions options = Options("\xEF\xBB\xBFx,1\ny,2\nx,3\ny,4\n", "x,1\n");
  options.label = "0";
  options.header = CsvOptions::Header::kNo;
  EXPECT_THAT(LoadCsv(options).class_names, ElementsAre("x", "y"));
}

TEST_F(LoadCsvTest, RefusesASingleClass) {
  ExpectError(Options("1,x\n3,x\n"), Path("train.csv") + ": every label is \"x\", expected at least 2 classes");
}

TEST_F(LoadCsvTest, RefusesOtherEvaluationColumns) {
  ExpectError(Options("1,2,x\n3,4,y\n", "5,y\n"),
              Path("eval.csv") + ": 1 features, but " + Path("train.csv") + " has 2");
  ExpectError(Options("a,b,k\n1,2,x\n3,4,y\n", "c,a,k\n1,2,x\n"), Path("eval.csv") + ": no column \"b\", which " +
                                                                      Path("train.csv") +
                                                                      " has; column 1 (counted from 0) is named \"a\"");
}

TEST_F(LoadCsvTest, FindsEvaluationColumnsByName) {
  const char* const kTrain = "a,b,k\n1,20,x\n3,40,y\n";
  const auto inputs = [&](const char* eval) { return All(*LoadCsv(Options(kTrain, eval)).eval).inputs.ToVector(); };
  EXPECT_EQ(inputs("b,a,k\n20,3,x\n"), inputs("a,b,k\n3,20,x\n"));
  EXPECT_EQ(inputs("k,a,b\nx,3,20\n"), inputs("a,b,k\n3,20,x\n"));
}

TEST_F(LoadCsvTest, ScalesTinyAndHugeFeatures) {
  for (const char* exponent : {"e-170", "e-300", "e300", "e39"}) {
    const std::string e = exponent;
    const CsvOptions options =
        Options("a,k\n1" + e + ",x\n3" + e + ",y\n5" + e + ",x\n", "a,k\n9" + e + ",y\n-1" + e + ",x\n");
    const DataSplit split = LoadCsv(options);
    const float stddev = std::sqrt(8.0F / 3.0F);
    EXPECT_THAT(All(*split.train).inputs.ToVector(),
                ElementsAre(::testing::FloatEq(-2 / stddev), 0, ::testing::FloatEq(2 / stddev)))
        << exponent;
    EXPECT_THAT(All(*split.eval).inputs.ToVector(),
                ElementsAre(::testing::FloatEq(6 / stddev), ::testing::FloatEq(-4 / stddev)));
    EXPECT_THAT(split.notes, ::testing::Not(::testing::Contains(HasSubstr("standard deviation"))));
  }
}

TEST_F(LoadCsvTest, NotesColumnsThatNumberTheRows) {
  const auto notes = [&](const std::string& name, const std::function<std::string(int)>& cell) {
    std::string text = name + ",x,k\n";
    for (int i = 0; i < 20; ++i) text += fmt::format("{},{},{}\n", cell(i), i * i % 11, i < 10 ? "a" : "b");
    return LoadCsv(Options(text)).notes;
  };
  const auto numbers = ::testing::Contains(HasSubstr("numbers the rows"));
  for (const char* name : {"", "Unnamed: 0", "id"}) {
    EXPECT_THAT(notes(name, [](int i) { return std::to_string(i); }), numbers) << name;
    EXPECT_THAT(notes(name, [](int i) { return std::to_string(i + 1); }), numbers) << name;
    EXPECT_THAT(notes(name, [](int i) { return std::to_string(i == 7 ? 6 : i); }), ::testing::Not(numbers)) << name;
  }
  // The column numbers rows that were later shuffled or partly removed.
  EXPECT_THAT(notes("", [](int i) { return std::to_string(i * 7 % 20); }), numbers);
  EXPECT_THAT(notes("", [](int i) { return std::to_string(3 * i + 4); }), numbers);
  EXPECT_THAT(notes("id", [](int i) { return std::to_string(3 * i + 4); }), ::testing::Not(numbers));
  EXPECT_THAT(notes("time", [](int i) { return std::to_string(i); }), ::testing::Not(numbers));
  EXPECT_THAT(notes("7", [](int i) { return std::to_string(i); }), ::testing::Not(numbers));
  // There is no header, and the index is the first of several columns.
  std::string text;
  for (int i = 0; i < 20; ++i) text += fmt::format("{},{},{}\n", i, i * i % 11, i < 10 ? "a" : "b");
  EXPECT_THAT(LoadCsv(Options(text)).notes, numbers);
}

TEST_F(LoadCsvTest, NotesColumnsOfOneName) {
  EXPECT_THAT(LoadCsv(Options("a,a,b,k,k\n1,5,3,4,x\n2,5,7,8,y\n", "a,a,b,k,k\n4,1,2,9,y\n")).notes,
              ::testing::Contains("columns of one name: \"a\" (2), \"k\" (2); data.json names them all the same"));
}

TEST_F(LoadCsvTest, NotesNamesThatAreNotUtf8AndRefusesOneClassInTwoEncodings) {
  EXPECT_THAT(LoadCsv(Options("1,b\xe9"
                              "e\n3,y\n",
                              "5,y\n"))
                  .notes,
              ::testing::Contains("names that are not UTF-8 are read as Latin-1, and so written into data.json: "
                                  "\"b\u00e9"
                                  "e\""));
  ExpectError(Options("1,b\xe9"
                      "e\n3,b\u00e9"
                      "e\n",
                      "5,b\xe9"
                      "e\n"),
              Path("train.csv") +
                  ": the class \"b\u00e9"
                  "e\" is there both in UTF-8 and in another encoding (Latin-1?); expected UTF-8 "
                  "alone");
  ExpectError(Options("1,x\n3,b\u00e9"
                      "e\n",
                      "5,b\xe9"
                      "e\n"),
              Path("eval.csv") +
                  ": line 1: class \"b\u00e9"
                  "e\" does not occur in " +
                  Path("train.csv") +
                  ", which has \"b\u00e9"
                  "e\" in another encoding");
}

TEST_F(LoadCsvTest, NotesAnEvaluationOnTheTrainingSamples) {
  const std::string text = "a,b,k\n1,2,x\n3,4,y\n5,6,x\n";
  const auto same = ::testing::Contains(HasSubstr("each of its"));
  EXPECT_THAT(LoadCsv(Options(text, text)).notes, same);
  CsvOptions options = Options(text);
  options.eval_path = options.path;
  EXPECT_THAT(LoadCsv(options).notes, same);
  EXPECT_THAT(LoadCsv(Options(text, "b,a,k\r\n2,1,x\r\n")).notes, same);
  EXPECT_THAT(LoadCsv(Options(text, "a,b,k\n1,2,x\n3,4.5,y\n")).notes, ::testing::Not(same));
}

TEST_F(LoadCsvTest, RefusesNumbersThatOverflowWhenScaled) {
  EXPECT_THAT(
      [&] { LoadCsv(Options("0,x\n1e-20,y\n", "1,x\n1e30,x\n")); },
      ThrowsMessage<Error>(HasSubstr(
          "eval.csv: line 2: feature in column 0 (counted from 0): 1e+30 is too far from the training samples")));
}

TEST_F(LoadCsvTest, RefusesMissingFilesAndEmptyParts) {
  ExpectError(CsvOptions{}, "csv: path: expected the path of a file");
  CsvOptions options;
  options.path = Path("nowhere.csv");
  EXPECT_THAT([&] { LoadCsv(options); }, ThrowsMessage<Error>(HasSubstr("nowhere.csv")));
  EXPECT_THAT([&] { LoadCsv(Options("1,x\n2,y\n")); }, ThrowsMessage<Error>(HasSubstr("eval_fraction: 0.2 of 2")));
}

}  // namespace
}  // namespace twofour::train
