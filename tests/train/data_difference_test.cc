#include "twofour/train/data_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/train/data/vocabulary.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DataRecord Samples() {
  DataRecord record;
  record.class_names = {"a", "b"};
  record.feature_names = {"x", "y"};
  record.features = 2;
  record.label_column = 2;
  record.feature_mean = {1, 2};
  record.feature_std = {3, 4};
  record.train_samples = 8;
  record.eval_samples = 2;
  record.files = {{"csv.path", "t.csv", {100, 0x11111111}}};
  return record;
}

DataRecord Tokens() {
  DataRecord record;
  record.vocab_size = 2;
  record.train_tokens = 90;
  record.eval_tokens = 10;
  record.vocabulary = Vocabulary::Characters({U'a', U'b'}).ToJson();
  return record;
}

/// The differences between a record and its changed copy. Checks that there are as many in the other direction.
template <typename Change>
std::vector<DataDifference> After(const DataRecord& then, const Change& change) {
  DataRecord now = then;
  change(now);
  const std::vector<DataDifference> differences = CompareData(then, now);
  EXPECT_EQ(CompareData(now, then).size(), differences.size());
  return differences;
}

TEST(CompareDataTest, TheSameContentsUnderAnotherPathAreTheSameData) {
  EXPECT_THAT(After(Samples(), [](DataRecord&) {}), IsEmpty());
  EXPECT_THAT(After(Samples(),
                    [](DataRecord& now) {
                      now.files[0].path = "/elsewhere";
                      now.description = "moved";
                    }),
              IsEmpty());
  EXPECT_THAT(After(Tokens(), [](DataRecord&) {}), IsEmpty());
}

DataRecord Numbers() {
  DataRecord record;
  record.columns = {{.name = "color", .categories = {"blue", "red"}, .missing_input = true},
                    {.name = "age", .fill = 30},
                    {.name = "y", .use = TableColumn::Use::kTarget}};
  record.features = 4;
  record.feature_names = {"color=blue", "color=red", "color (missing)", "age"};
  record.target_mean = {5};
  record.target_std = {2};
  return record;
}

TEST(CompareDataTest, ComparesHowColumnsBecomeInputs) {
  const auto one = [](const std::function<void(DataRecord&)>& change) {
    const std::vector<DataDifference> differences = After(Numbers(), change);
    EXPECT_EQ(differences.size(), 1U);
    if (differences.size() != 1) return std::string();
    EXPECT_TRUE(differences[0].of_meaning);
    return differences[0].text;
  };
  EXPECT_THAT(After(Numbers(), [](DataRecord&) {}), IsEmpty());
  EXPECT_EQ(one([](DataRecord& now) { now.columns[1].fill = 31; }),
            "31 takes the place of a missing value of column \"age\", was 30");
  EXPECT_EQ(one([](DataRecord& now) { now.columns[1].fill = {}; }),
            "nothing takes the place of a missing value of column \"age\", was 30");
  EXPECT_EQ(one([](DataRecord& now) { now.columns[2].name = "z"; }), "target 0 is \"z\", was \"y\"");
  EXPECT_EQ(one([](DataRecord& now) {
              now.columns[0].categories[0] = "green";
              now.feature_names[0] = "color=green";
            }),
            "column 0 is \"color=green\", was \"color=blue\"");
  EXPECT_EQ(one([](DataRecord& now) { now.target_mean[0] = 6; }), "the mean of target \"y\" is 6, was 5");
  EXPECT_EQ(one([](DataRecord& now) { now.target_mean = now.target_std = {}; }), "targets are not scaled, were");
  EXPECT_EQ(Describe(CompareData(Numbers(), Samples())), "it holds samples with classes, held samples with numbers");
  // Without names, positions tell columns apart.
  DataRecord unnamed = Numbers();
  unnamed.feature_names = {};
  for (TableColumn& column : unnamed.columns) column.name = "";
  EXPECT_THAT(Describe(After(unnamed, [](DataRecord& now) { std::swap(now.columns[1], now.columns[2]); })),
              HasSubstr("the features and targets are other columns"));
  EXPECT_THAT(Describe(After(unnamed, [](DataRecord& now) { now.columns[0].categories[1] = "x"; })),
              HasSubstr("category 1 is \"x\", was \"red\""));
}

TEST(CompareDataTest, NamesWhatAModelWasMadeWithAsPartOfItsMeaning) {
  const auto one = [](const std::vector<DataDifference>& differences) {
    EXPECT_EQ(differences.size(), 1u);
    EXPECT_TRUE(differences.at(0).of_meaning);
    return differences.at(0).text;
  };
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.class_names[1] = "c"; })), "class 1 is \"c\", was \"b\"");
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.class_names.push_back("c"); })),
            "3 classes, were 2; class \"c\" is new");
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.class_names.pop_back(); })),
            "1 classes, were 2; class \"b\" is gone");
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { std::swap(now.feature_names[0], now.feature_names[1]); })),
            "column 0 is \"y\", was \"x\"");
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.feature_mean[1] = 2.5; })),
            "the mean of feature \"y\" is 2.5, was 2");
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.feature_std[0] = 3.5; })),
            "the standard deviation of feature \"x\" is 3.5, was 3");
  EXPECT_EQ(one(After(Samples(),
                      [](DataRecord& now) {
                        now.feature_mean.clear();
                        now.feature_std.clear();
                      })),
            "features are not scaled, were");
  DataRecord images = Samples();
  images.sample_shape = {1, 2};
  EXPECT_EQ(one(After(images, [](DataRecord& now) { now.sample_shape = {2, 1}; })), "images are 2 x 1, were 1 x 2");
  EXPECT_THAT(After(images, [](DataRecord& now) { now.sample_shape.clear(); }), IsEmpty());  // An older record.
  EXPECT_THAT(one(CompareData(Samples(), Tokens())), HasSubstr("it holds tokens, held samples"));
  EXPECT_EQ(one(After(Tokens(), [](DataRecord& now) { now.vocab_size = 3; })), "3 different tokens, were 2");
  EXPECT_EQ(one(After(Tokens(),
                      [](DataRecord& now) {
                        now.vocabulary = Vocabulary::Characters({U'a', U'c'}).ToJson();
                      })),
            "token 1 is \"c\", was \"b\"");
  EXPECT_THAT(one(After(Tokens(), [](DataRecord& now) { now.vocabulary.reset(); })), HasSubstr("have no text"));
}

TEST(CompareDataTest, WithoutNamesThePlaceOfTheLabelTellsColumnsApart) {
  DataRecord then = Samples();
  then.feature_names.clear();
  EXPECT_THAT(After(then, [](DataRecord& now) { now.label_column = 0; }).at(0).text,
              HasSubstr("the label is column 0"));
  // With names, the label may be anywhere.
  EXPECT_THAT(After(Samples(), [](DataRecord& now) { now.label_column = 0; }), IsEmpty());
}

TEST(CompareDataTest, OtherContentsAreNoOtherMeaning) {
  const auto one = [](const std::vector<DataDifference>& differences) {
    EXPECT_EQ(differences.size(), 1u);
    EXPECT_THAT(OfMeaning(differences), IsEmpty());
    return differences.at(0).text;
  };
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.files[0].checksum.bytes = 101; })),
            "csv.path: t.csv has 101 bytes, had 100");
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.files[0].checksum.crc32c = 0x22222222; })),
            "csv.path: the contents of t.csv are others: CRC-32C 22222222, was 11111111");
  EXPECT_THAT(one(After(Samples(),
                        [](DataRecord& now) {
                          now.files.push_back({"csv.eval_path", "e.csv", {}});
                        })),
              HasSubstr("csv.eval_path: e.csv was not among the files"));
  EXPECT_EQ(one(After(Samples(), [](DataRecord& now) { now.train_samples = 9; })), "9 training samples, were 8");
  EXPECT_EQ(one(After(Tokens(), [](DataRecord& now) { now.eval_tokens = 11; })), "11 evaluation tokens, were 10");
}

TEST(CompareDataTest, ARecordOfAnEarlierVersionIsComparedAsFarAsItGoes) {
  DataRecord then = Samples();
  then.version = 0;
  then.feature_names.clear();
  then.label_column.reset();
  then.train_samples.reset();
  then.eval_samples.reset();
  then.files.clear();
  then.feature_mean = {1700000000.0F, 2};
  DataRecord now = Samples();
  now.feature_mean = {1700000001.25, 2};  // The same as float32.
  EXPECT_THAT(CompareData(then, now), IsEmpty());
  now.feature_mean = {1700000200, 2};
  EXPECT_THAT(CompareData(then, now).at(0).text, HasSubstr("the mean of feature \"x\""));
  now.class_names[0] = "z";
  EXPECT_THAT(CompareData(then, now).at(0).text, HasSubstr("class 0"));
}

TEST(CompareDataTest, NamesThatAnEarlierVersionCouldNotWriteAreNotCompared) {
  DataRecord then = Samples(), now = Samples();
  then.version = 0;
  then.class_names[1] = "caf\xef\xbf\xbd";
  now.class_names[1] = "caf\xc3\xa9";
  EXPECT_THAT(CompareData(then, now), IsEmpty());
  then.version = DataRecord::kVersion;
  EXPECT_EQ(CompareData(then, now).size(), 1u);
}

TEST(CompareDataTest, WhatWeighsMostComesFirstAndAFewAreShown) {
  const auto differences = After(Samples(), [](DataRecord& now) {
    now.feature_mean[0] = 9;
    now.files[0].checksum.bytes = 7;
    now.train_samples = 4;
    now.eval_samples = 3;
    now.class_names[0] = "z";
  });
  EXPECT_EQ(
      Describe(differences),
      "class 0 is \"z\", was \"a\"; csv.path: t.csv has 7 bytes, had 100; 4 training samples, were 8; and 2 more");
}

}  // namespace
}  // namespace twofour::train
