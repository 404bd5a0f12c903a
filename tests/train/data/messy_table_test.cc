// From tables as people have them to samples, and other tables by the same rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "twofour/core/error.h"
#include "twofour/train/data/csv.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/data/table_samples.h"
#include "twofour/train/data_record.h"

#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"
#include "tests/train/data/test_files.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Missing = CsvOptions::Missing;
using Words = CsvOptions::Words;

Batch All(const Dataset& dataset) { return dataset.Get(AllIndices(dataset.size())); }

class MessyTableTest : public ::testing::Test {
 protected:
  static constexpr const char* kTrain = "id,age,color,size,k\n1,20,red,1,u\n2,,blue,2,v\n3,40,NA,3,u\n4,60,red,4,v\n";
  static constexpr const char* kEval = "size,k,color,age,id\n5,u,blue,?,9\n6,v,,20,8\n";

  CsvOptions Options(Missing missing, const std::string& train = kTrain, const std::string& eval = kEval) {
    return {.path = WriteTestFile(dir_ / "train.csv", train),
            .eval_path = WriteTestFile(dir_ / "eval.csv", eval),
            .label = "k",
            .drop = {"id"},
            .words = Words::kCategories,
            .missing = missing};
  }
  void ExpectError(const CsvOptions& options, const std::string& message) {
    EXPECT_THAT([&] { LoadCsv(options); }, ThrowsMessage<Error>(HasSubstr(message)));
  }

  test::TempDir dir_;
};

TEST_F(MessyTableTest, MeansTakeThePlaceOfMissingNumbersAndWordsHaveACategoryOfTheirOwn) {
  CsvOptions options = Options(Missing::kMean);
  options.standardize = false;
  const DataSplit split = LoadCsv(options);
  EXPECT_THAT(split.feature_names, ElementsAre("age", "color=blue", "color=red", "color (missing)", "size"));
  EXPECT_THAT(All(*split.train).inputs.ToVector(),
              ElementsAre(20, 0, 1, 0, 1, 40, 1, 0, 0, 2, 40, 0, 0, 1, 3, 60, 0, 1, 0, 4));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(40, 1, 0, 0, 5, 20, 0, 0, 1, 6));
}

TEST_F(MessyTableTest, CategoriesThatTrainingNeverSeesAreNoted) {
  std::string table = "c,x,k\n";
  for (int i = 0; i < 40; ++i) {
    table += std::string(i == 7 ? "z" : "u") + (i % 2 == 0 ? ",1,a\n" : ",2,b\n");
  }
  CsvOptions options = Options(Missing::kRefuse, table);
  options.eval_path.clear();
  options.drop.clear();
  int noted = 0;
  for (options.split_seed = 1; options.split_seed <= 20; ++options.split_seed) {
    const DataSplit split = LoadCsv(options);
    const auto note = std::ranges::find_if(
        split.notes, [](const std::string& text) { return text.find("in no row to train on") != std::string::npos; });
    double seen = 0;
    const Tensor inputs = All(*split.train).inputs;  // c=u, c=z, x
    for (int64_t row = 0; row < inputs.dim(0); ++row) seen += inputs.data<float>()[3 * row + 1] > 0 ? 1 : 0;
    EXPECT_EQ(note == split.notes.end(), seen == 1) << options.split_seed;
    if (note == split.notes.end()) continue;
    EXPECT_THAT(*note, HasSubstr("category \"z\" of"));
    ++noted;
  }
  EXPECT_GT(noted, 0);
  EXPECT_LT(noted, 20);
}

TEST_F(MessyTableTest, DividesPixelsByTheirLargestValue) {
  CsvOptions options = Options(Missing::kMean, "p,color,k\n255,red,u\n51,blue,v\n0,red,u\n", "p,color,k\n102,red,u\n");
  options.drop.clear();
  options.standardize = false;
  options.divide_by = 255;
  const DataSplit split = LoadCsv(options);
  EXPECT_THAT(All(*split.train).inputs.ToVector(), ElementsAre(1, 0, 1, 0.2F, 1, 0, 0, 0, 1));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(0.4F, 0, 1));
  const DataRecord record = ParseDataRecord(ToJson(DescribeData(split, {})), "data.json");
  EXPECT_THAT(record.feature_std, ElementsAre(255, 1, 1));
  options.as_before = SamplesAsBefore{split.class_names, SchemaOf(record)};
  EXPECT_THAT(All(*LoadCsv(options).eval).inputs.ToVector(), ElementsAre(0.4F, 0, 1));
  options.divide_by = 0;
  ExpectError(options, "divide_by: got 0");
}

TEST_F(MessyTableTest, ACategoryAddsAnInputAndScalingLeavesWordsAlone) {
  const DataSplit split = LoadCsv(Options(Missing::kCategory));
  EXPECT_THAT(split.feature_names,
              ElementsAre("age", "age (missing)", "color=blue", "color=red", "color (missing)", "size"));
  // Age: mean 40 and standard deviation sqrt(800 / 3) of three; size: mean 2.5 and deviation sqrt(1.25).
  EXPECT_THAT(split.table->scaling.mean, ElementsAre(40, 0, 0, 0, 0, 2.5));
  const auto age = static_cast<float>(20 / std::sqrt(800.0 / 3)), size = static_cast<float>(1.5 / std::sqrt(1.25));
  EXPECT_THAT(All(*split.eval).inputs.ToVector().front(), 0);
  const std::vector<float> first = All(*split.train).inputs.ToVector();
  EXPECT_FLOAT_EQ(first[0], -age);
  EXPECT_FLOAT_EQ(first[5], -size);
  EXPECT_THAT(std::vector<float>(first.begin() + 6, first.begin() + 11), ElementsAre(0, 1, 1, 0, 0));
}

TEST_F(MessyTableTest, OtherTablesGetTheBitsThatTrainingGot) {
  for (const Missing missing : {Missing::kMean, Missing::kCategory}) {
    const CsvOptions options = Options(missing);
    const DataSplit split = LoadCsv(options);
    // By way of data.json, in another order, with and without the dropped column.
    const DataRecord record = ParseDataRecord(ToJson(DescribeData(split, {})), "data.json");
    for (const char* text : {kEval, "k,size,age,color\nu,5,?,blue\nv,6,20,\n"}) {
      const std::string path = WriteTestFile(dir_ / "other.csv", text);
      const TableSamples loaded = LoadTableSamples(path, SchemaOf(record), record.class_names, options, {});
      test::ExpectBitEqual(All(*loaded.samples).inputs, All(*split.eval).inputs);
      test::ExpectBitEqual(All(*loaded.samples).targets, All(*split.eval).targets);
    }
    // And as the samples of a run that goes on with other data.
    CsvOptions again = options;
    again.as_before = SamplesAsBefore{record.class_names, SchemaOf(record)};
    const DataSplit same = LoadCsv(again);
    test::ExpectBitEqual(All(*same.train).inputs, All(*split.train).inputs);
    EXPECT_EQ(ToJson(DescribeData(same, {})), ToJson(record));
  }
}

TEST_F(MessyTableTest, WhatTrainingNeverSawIsAnErrorThatNamesTheLine) {
  ExpectError(Options(Missing::kMean, kTrain, "id,age,color,size,k\n1,20,Red,1,u\n"),
              "eval.csv: line 2: feature \"color\": category \"Red\" is none of those of");
  ExpectError(Options(Missing::kMean, kTrain, "id,age,color,size,k\n1,20,Red,1,u\n"), "which has \"red\"");
  ExpectError(Options(Missing::kRefuse, "id,age,color,size,k\n1,1,red,1,u\n2,2,blue,2,v\n",
                      "id,age,color,size,k\n1,20,red,NA,u\n"),
              "eval.csv: line 2, column \"size\": \"NA\" is not a finite number");
  ExpectError(Options(Missing::kMean, kTrain, "id,age,color,size,k\n1,old,red,1,u\n"),
              "eval.csv: line 2, column \"age\": \"old\" is not a finite number");
  ExpectError(Options(Missing::kMean, "id,age,color,size,k\n1,NA,red,1,u\n2,,blue,2,v\n"),
              "feature \"age\" is missing in all 2 rows to train on; data.csv.drop leaves it out");
}

TEST_F(MessyTableTest, TheSchemaSaysTheSameOfSingleCells) {
  const DataSplit split = LoadCsv(Options(Missing::kCategory));
  CsvOptions csv;
  csv.missing = Missing::kCategory;
  const auto load = [&](const std::string& text) {
    LoadTableSamples(WriteTestFile(dir_ / "o.csv", text), *split.table, split.class_names, csv, {});
  };
  EXPECT_THAT(
      [&] { load("age,color,size,k\n1,Red,2,u\n"); },
      ThrowsMessage<Error>(HasSubstr("line 2: column \"color\": \"Red\" is none of the categories that the model "
                                     "was made with, which has \"red\"; expected \"blue\", \"red\"")));
  const TableSamples known = LoadTableSamples(WriteTestFile(dir_ / "o.csv", "age,color,size,k\n1,,2,u\n"), *split.table,
                                              split.class_names, csv, {});
  const TableSamples unknown = LoadTableSamples(WriteTestFile(dir_ / "o.csv", "age,color,size,k\n1,mauve,2,u\n"),
                                                *split.table, split.class_names, csv, {.unknown_as_missing = true});
  test::ExpectBitEqual(All(*unknown.samples).inputs, All(*known.samples).inputs);
  csv.missing = Missing::kRefuse;
  EXPECT_THAT([&] { load("age,color,size,k\nNA,red,1,u\n"); },
              ThrowsMessage<Error>(HasSubstr("column \"age\": \"NA\" is not a finite number")));
}

TEST_F(MessyTableTest, OnlyTrainingSamplesDecideWhetherMissingIsAnInput) {
  CsvOptions options = Options(Missing::kCategory, "id,age,color,size,k\n1,20,red,1,u\n2,40,blue,3,v\n",
                               "id,age,color,size,k\n1,NA,,2,u\n");
  options.standardize = false;
  const DataSplit split = LoadCsv(options);
  EXPECT_THAT(split.feature_names, ElementsAre("age", "color=blue", "color=red", "size"));
  EXPECT_THAT(All(*split.eval).inputs.ToVector(), ElementsAre(30, 0, 0, 2));
}

TEST_F(MessyTableTest, ARunThatGoesOnKeepsTheCategoriesOfItsModel) {
  const DataSplit split = LoadCsv(Options(Missing::kMean));
  // The later table to train on has no blue, but other means.
  CsvOptions later = Options(Missing::kMean, "id,age,color,size,k\n1,1,red,1,u\n2,2,,2,v\n", kEval);
  later.as_before = SamplesAsBefore{split.class_names, *split.table};
  const DataSplit now = LoadCsv(later);
  test::ExpectBitEqual(All(*now.eval).inputs, All(*split.eval).inputs);
  EXPECT_EQ(now.table->columns, split.table->columns);
  later = Options(Missing::kMean, "id,color,age,size,k\n1,red,1,1,u\n2,,2,2,v\n", "id,color,age,size,k\n1,red,1,1,u\n");
  later.as_before = SamplesAsBefore{split.class_names, *split.table};
  ExpectError(later, "feature 0 is column \"color\", but the model was made with column \"age\" there");
  later = Options(Missing::kMean, "id,age,color,size,k\n1,1,green,1,u\n2,2,,2,v\n", kEval);
  later.as_before = SamplesAsBefore{split.class_names, *split.table};
  ExpectError(later, "train.csv: line 2: feature \"color\": category \"green\" is none of those of the model");
}

TEST_F(MessyTableTest, TooManyInputsAreRefusedBeforeTheyTakeMemory) {
  std::string text = "id,x,k\n";
  for (int i = 0; i < 66000; ++i) text += std::to_string(i % 65536) + ",1," + (i % 2 == 0 ? "u\n" : "v\n");
  CsvOptions options{.path = WriteTestFile(dir_ / "ids.csv", text), .categorical = {"id"}};
  ExpectError(options, "65537 inputs of 66000 rows, expected at most 65075; column \"id\" has 65536 categories");
}

class RegressionTableTest : public MessyTableTest {
 protected:
  CsvOptions Numbers(const std::string& train, const std::string& eval) {
    return {.path = WriteTestFile(dir_ / "train.csv", train),
            .eval_path = WriteTestFile(dir_ / "eval.csv", eval),
            .targets = {"y", "z"}};
  }
};

TEST_F(RegressionTableTest, TargetsAreScaledByTheTrainingSamples) {
  const CsvOptions options = Numbers("y,x,z\n1,0,100\n3,1,300\n", "z,y,x\n500,2,1\n");
  const DataSplit split = LoadCsv(options);
  EXPECT_EQ(split.train->num_classes(), 0);
  EXPECT_EQ(split.train->outputs(), 2);
  EXPECT_THAT(split.table->target_scaling.mean, ElementsAre(2, 200));
  EXPECT_THAT(All(*split.train).targets.ToVector(), ElementsAre(-1, -1, 1, 1));
  EXPECT_THAT(All(*split.eval).targets.ToVector(), ElementsAre(0, 3));
  EXPECT_THAT(split.table->TargetNames(), ElementsAre("y", "z"));
  CsvOptions plain = options;
  plain.standardize_targets = false;
  EXPECT_THAT(All(*LoadCsv(plain).eval).targets.ToVector(), ElementsAre(2, 500));

  const DataRecord record = ParseDataRecord(ToJson(DescribeData(split, {})), "data.json");
  EXPECT_TRUE(record.OfNumbers());
  const TableSamples loaded = LoadTableSamples(options.eval_path, SchemaOf(record), {}, options, {});
  test::ExpectBitEqual(All(*loaded.samples).targets, All(*split.eval).targets);
}

TEST_F(RegressionTableTest, RefusesTargetsFromWhichNothingCanBeLearnt) {
  ExpectError(Numbers("y,x,z\n1,0,5\n3,1,5\n", "y,x,z\n1,0,5\n"),
              "column \"z\", a target, is 5 in all 2 rows to train on, expected numbers that differ");
  ExpectError(Numbers("y,x,z\n1,0,5\n3,1,6\n", "y,x\n1,0\n"), "no column \"z\", a target in");
  const CsvOptions options = Numbers("y,x,z\n1,0,5\n3,1,6\n", "y,x,z\n1,0,5\n");
  const DataSplit split = LoadCsv(options);
  EXPECT_THAT([&] { LoadTableSamples(WriteTestFile(dir_ / "o.csv", "x,y\n1,2\n"), *split.table, {}, options, {}); },
              ThrowsMessage<Error>(HasSubstr("no column \"z\", the targets")));
}

TEST_F(RegressionTableTest, NotesAFeatureThatIsATarget) {
  const DataSplit split = LoadCsv(Numbers("y,x,z\n1,5,5\n3,6,6\n", "y,x,z\n1,0,5\n"));
  EXPECT_THAT(split.notes, ::testing::Contains(HasSubstr("feature \"x\" equals a target in every row")));
}

}  // namespace
}  // namespace twofour::train
