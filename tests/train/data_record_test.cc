#include "twofour/train/data_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Use = TableColumn::Use;

DataSplit Split() {
  DataSplit data;
  data.train = std::make_shared<InMemoryDataset>(Tensor::Empty({3, 2}), Tensor::Zeros({3}, DType::kI32), 2);
  data.eval = std::make_shared<InMemoryDataset>(Tensor::Empty({1, 2}), Tensor::Zeros({1}, DType::kI32), 2);
  data.description = "d";
  data.class_names = {"cat", "do\"g"};
  data.feature_names = {"time", "load"};
  data.label_name = "kind";
  data.label_column = 2;
  data.table = TableSchema{.columns = {{.name = "time"}, {.name = "load"}, {.name = "kind", .use = Use::kTarget}},
                           .has_names = true,
                           .scaling = {{1700000000.123456, -0.1}, {5e-324, 1.0 / 3}}};
  return data;
}

TEST(DataRecordTest, ComesBackAsItWasWrittenToTheLastBit) {
  const DataRecord record = DescribeData(Split(), {{"csv.path", "t.csv", {123, 0xdeadbeef}}});
  const DataRecord read = ParseDataRecord(ToJson(record), "data.json");
  EXPECT_EQ(ToJson(read), ToJson(record));
  EXPECT_EQ(read.class_names, record.class_names);
  EXPECT_THAT(read.feature_names, ElementsAre("time", "load"));
  EXPECT_EQ(read.label_name, "kind");
  EXPECT_EQ(read.label_column, 2);
  EXPECT_EQ(read.features, 2);
  EXPECT_EQ(read.train_samples, 3);
  EXPECT_EQ(read.eval_samples, 1);
  ASSERT_EQ(read.files.size(), 1u);
  EXPECT_EQ(read.files[0].field, "csv.path");
  EXPECT_EQ(read.files[0].path, "t.csv");
  EXPECT_EQ(read.files[0].checksum, (FileChecksum{123, 0xdeadbeef}));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(std::bit_cast<uint64_t>(read.feature_mean[i]), std::bit_cast<uint64_t>(record.feature_mean[i]));
    EXPECT_EQ(std::bit_cast<uint64_t>(read.feature_std[i]), std::bit_cast<uint64_t>(record.feature_std[i]));
  }
}

TEST(DataRecordTest, KnowsTheShapeOfImages) {
  DataSplit data = Split();
  EXPECT_EQ(DescribeData(data, {}).ShapeOfSamples(), Shape{2});
  data.sample_shape = {1, 2};
  const DataRecord read = ParseDataRecord(ToJson(DescribeData(data, {})), "data.json");
  EXPECT_EQ(read.sample_shape, (Shape{1, 2}));
  EXPECT_EQ(read.ShapeOfSamples(), (Shape{1, 2}));
}

/// A record of words, missing numbers and two targets.
DataRecord Numbers() {
  DataSplit data;
  data.train = data.eval = std::make_shared<InMemoryDataset>(Tensor::Zeros({3, 5}), Tensor::Zeros({3, 2}));
  data.table = TableSchema{.columns = {{.name = "y", .use = Use::kTarget},
                                       {.name = "color", .categories = {"blue", "r\"ed"}, .missing_input = true},
                                       {.name = "id", .use = Use::kDropped},
                                       {.name = "age", .fill = 1.0 / 3, .missing_input = true},
                                       {.name = "z", .use = Use::kTarget}},
                           .has_names = true,
                           .has_classes = false,
                           .scaling = {{0, 0, 0, 5, 0}, {1, 1, 1, 7, 1}},
                           .target_scaling = {{0.1, -3}, {5e-324, 4}}};
  data.feature_names = data.table->InputNames();
  return DescribeData(data, {});
}

TEST(DataRecordTest, HoldsTheColumnsOfATable) {
  const DataRecord record = Numbers(), read = ParseDataRecord(ToJson(record), "data.json");
  EXPECT_EQ(read.columns, record.columns);
  EXPECT_EQ(read.target_mean, record.target_mean);
  EXPECT_EQ(read.target_std, record.target_std);
  EXPECT_TRUE(read.OfNumbers());
  EXPECT_TRUE(read.Tells());
  EXPECT_EQ(ToJson(read), ToJson(record));
  const TableSchema schema = SchemaOf(read);
  EXPECT_FALSE(schema.has_classes);
  EXPECT_TRUE(schema.has_names);
  EXPECT_EQ(schema.inputs(), 5);
  const auto json = nlohmann::json::parse(ToJson(record));
  EXPECT_EQ(json["version"], 3);
  EXPECT_EQ(json["columns"][1]["categories"][1], "r\"ed");
  EXPECT_EQ(json["columns"][2]["use"], "DROPPED");
  EXPECT_EQ(json["columns"][3]["fill"], 1.0 / 3);
}

TEST(DataRecordTest, TablesOfNumbersAndOneClassNeedNoColumns) {
  EXPECT_THAT(DescribeData(Split(), {}).columns, ::testing::IsEmpty());
  const TableSchema schema = SchemaOf(ParseDataRecord(ToJson(DescribeData(Split(), {})), "data.json"));
  EXPECT_EQ(schema.columns, Split().table->columns);
  EXPECT_TRUE(schema.has_classes);
  // An early record, of version 0, does not say where the label stood.
  const TableSchema early = SchemaOf(ParseDataRecord(
      R"({"class_names": ["a", "b"], "label_name": "k", "feature_names": ["x"], "features": 1})", "data.json"));
  EXPECT_THAT(early.columns, ElementsAre(TableColumn{.name = "x"}, TableColumn{.name = "k", .use = Use::kTarget}));
}

TEST(DataRecordTest, ColumnsMustFitTheRest) {
  const auto text = nlohmann::json::parse(ToJson(Numbers()));
  const auto expect = [&](const std::function<void(nlohmann::json&)>& change, const std::string& fault) {
    nlohmann::json changed = text;
    change(changed);
    EXPECT_ERROR(ParseDataRecord(changed.dump(), "data.json"), ErrorKind::kInvalidInput, HasSubstr(fault));
  };
  expect([](auto& json) { json["features"] = 4; }, "as many");
  expect([](auto& json) { json["features"] = int64_t{1} << 40; }, "at most 1048576");
  expect([](auto& json) { json["columns"][0]["use"] = "X"; }, "\"use\": expected INPUT, TARGET or DROPPED");
  expect([](auto& json) { json["columns"][1]["categories"] = {"a", "a"}; }, "each category once");
  expect([](auto& json) { json["columns"][1]["categories"] = {"a", "b"}; }, "names in feature_names");
  expect([](auto& json) { json["columns"][0]["fill"] = 1; }, "INPUT beside other fields");
  expect([](auto& json) { json["columns"][3]["fill"] = "x"; }, "\"fill\": expected a number");
  expect([](auto& json) { json["columns"] = {1}; }, "\"columns\": expected a list of columns");
  expect([](auto& json) { json["columns"].erase(3); }, "\"columns\": expected inputs as many");
  expect([](auto& json) { json["columns"].erase(4); }, "\"target_mean\"");
  expect([](auto& json) { json["target_std"] = {1, 0}; }, "\"target_std\": expected numbers above 0");
  expect([](auto& json) { json["target_mean"] = {1}; }, "\"target_mean\"");
  expect([](auto& json) { json["class_names"] = {"a", "b"}; }, "one TARGET");
  expect([](auto& json) { json.erase("columns"); }, "none without columns");
}

TEST(DataRecordTest, IsPlainJsonForOthers) {
  const auto json = nlohmann::json::parse(ToJson(DescribeData(Split(), {})));
  EXPECT_EQ(json["class_names"][1], "do\"g");
  EXPECT_EQ(json["feature_mean"][0], 1700000000.123456);
  EXPECT_EQ(json["feature_std"][1], 1.0 / 3);
  EXPECT_EQ(json["feature_names"][0], "time");
}

TEST(DataRecordTest, TellsDifferentNamesThatAreNotUtf8Apart) {
  DataSplit data = Split();
  data.class_names = {"caf\xe8", "caf\xe9"};
  const DataRecord read = ParseDataRecord(ToJson(DescribeData(data, {})), "x");
  EXPECT_THAT(read.class_names, ElementsAre("caf\xc3\xa8", "caf\xc3\xa9"));
}

TEST(DataRecordTest, ReadsWhatEarlierVersionsWrote) {
  const DataRecord samples = ParseDataRecord(
      R"({"description": "d", "class_names": ["a", "b"], "feature_mean": [1.5], "feature_std": [2]})", "x");
  EXPECT_EQ(samples.version, 0);
  EXPECT_EQ(samples.features, 1);
  EXPECT_FALSE(samples.OfTokens());
  const DataRecord tokens =
      ParseDataRecord(R"({"description": "d", "vocab_size": 256, "train_tokens": 9, "eval_tokens": 1})", "x");
  EXPECT_TRUE(tokens.OfTokens());
  EXPECT_EQ(ParseDataRecord("{}", "x").version, 0);
}

TEST(DataRecordTest, WhatIsNoRecordIsAnErrorThatNamesTheKey) {
  for (const auto& [text, fault] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", "not valid JSON"},
           {"[]", "expected a JSON object"},
           {"3", "expected a JSON object"},
           {"{\"class_names\": [1]}", "\"class_names\": expected a list of strings"},
           {"{\"class_names\": \"a\"}", "\"class_names\""},
           {"{\"description\": 1}", "\"description\": expected a string"},
           {"{\"vocab_size\": -1}", "\"vocab_size\": expected an integer of at least 0"},
           {"{\"vocab_size\": 1.5}", "\"vocab_size\""},
           {"{\"vocab_size\": 18446744073709551615}", "\"vocab_size\""},
           {"{\"feature_mean\": [1e999]}", "out of range"},
           {"{\"feature_mean\": [1], \"feature_std\": []}", "as many numbers as there are features"},
           {"{\"features\": 2, \"feature_mean\": [1], \"feature_std\": [1]}", "as many numbers as there are features"},
           {"{\"features\": 2, \"feature_names\": [\"a\"]}", "\"feature_names\""},
           {"{\"feature_mean\": [1], \"feature_std\": [0]}", "numbers above 0"},
           {"{\"feature_mean\": [null], \"feature_std\": [1]}", "\"feature_mean\""},
           {"{\"version\": 4}", "a later twofour"},
           {"{\"features\": 6, \"sample_shape\": [2, 4]}", "sizes whose product is the number of features"},
           {"{\"features\": 6, \"sample_shape\": [1048576, 1048576, 1048576, 1048576]}", "\"sample_shape\""},
           {"{\"features\": 6, \"sample_shape\": [6, 0]}", "a list of sizes, 1 to 1048576"},
           {"{\"features\": 6, \"sample_shape\": [-2, -3]}", "a list of sizes"},
           {"{\"sample_shape\": [1]}", "\"sample_shape\""},
           {"{\"files\": [1]}", "\"files\""},
           {"{\"files\": [{\"field\": \"a\"}]}", "field, path, bytes and crc32c"},
           {"{\"files\": [{\"field\": \"a\", \"path\": \"b\", \"bytes\": 1, \"crc32c\": \"xyz\"}]}", "8 hexadecimal"},
           {"{\"files\": [{\"field\": \"a\", \"path\": \"b\", \"bytes\": 1, \"crc32c\": \"-1234567\"}]}",
            "8 hexadecimal"},
           {"{\"x\": [[[[[]]]]]}", "nested deeper"},
       }) {
    EXPECT_ERROR(ParseDataRecord(text, "data.json"), ErrorKind::kInvalidInput,
                 AllOf(StartsWith("data.json"), HasSubstr(fault)));
  }
  EXPECT_ERROR(ParseDataRecord(std::string_view("{}\0{", 4), "data.json"), ErrorKind::kInvalidInput,
               HasSubstr("a zero byte"));
  std::string files;
  for (int i = 0; i < 65; ++i) {
    files += std::string(i == 0 ? "" : ",") + R"({"field": "a", "path": "b", "bytes": 1, "crc32c": "00000000"})";
  }
  EXPECT_ERROR(ParseDataRecord("{\"files\": [" + files + "]}", "x"), ErrorKind::kInvalidInput,
               HasSubstr("at most 64 files"));
}

TEST(DataRecordTest, KeepsItsVocabularyBesideItAndKnowsItAgain) {
  const TempDir dir;
  const RunFiles run{dir.path()};
  FileSystem& files = FileSystem::Default();
  EXPECT_FALSE(LoadDataRecord(files, run).has_value());
  TokenData data;
  data.train = WholeOf(std::make_shared<InMemoryTokens>(std::vector<uint16_t>(5)));
  data.eval = WholeOf(std::make_shared<InMemoryTokens>(std::vector<uint16_t>(2)));
  data.vocabulary = Vocabulary::Characters({U'a', U'b'});
  data.vocab_size = 2;
  SaveDataRecord(files, run, DescribeData(data, {}));
  const std::optional<DataRecord> read = LoadDataRecord(files, run);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->vocabulary, data.vocabulary->ToJson());
  EXPECT_EQ(read->train_tokens, 5);
  WriteTextFile(run.vocabulary(), Vocabulary::Characters({U'a', U'c'}).ToJson());
  EXPECT_ERROR(LoadDataRecord(files, run), ErrorKind::kInvalidInput, HasSubstr("vocabulary.json: is not the"));
  WriteTextFile(run.vocabulary(), "{");
  EXPECT_ERROR(LoadDataRecord(files, run), ErrorKind::kInvalidInput, HasSubstr("vocabulary.json"));
  files.RemoveAll(run.vocabulary());
  EXPECT_ERROR(LoadDataRecord(files, run), ErrorKind::kInvalidInput, HasSubstr("vocabulary.json: is missing"));
}

}  // namespace
}  // namespace twofour::train
