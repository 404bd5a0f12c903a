#include "twofour/core/io/safetensors_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

namespace fs = std::filesystem;
using test::ExpectBitEqual;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SafetensorsShardsTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) { WriteText(files_, dir_.path() / name, text); }
  void WriteIndex(const std::string& weight_map) {
    Write("model.safetensors.index.json", "{\"weight_map\": " + weight_map + "}");
  }
  SafetensorsFile Load() { return LoadShards(files_, dir_.path() / "model.safetensors.index.json"); }

  test::TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
  const std::vector<NamedTensor> tensors_ = {{"b", Tensor::Full({10}, 1.0)},
                                             {"a", Tensor::Full({2, 5}, 2.0)},
                                             {"large", Tensor::Full({100}, 3.0)},
                                             {"none", Tensor::Zeros({0})}};
};

TEST_F(SafetensorsShardsTest, FilesAreAsFullAsPossible) {
  const auto sizes = [&](uint64_t max_bytes) {
    std::vector<size_t> counts;
    for (const auto& shard : DivideIntoShards(tensors_, max_bytes)) counts.push_back(shard.size());
    return counts;
  };
  EXPECT_THAT(sizes(480), ElementsAre(4));
  EXPECT_THAT(sizes(479), ElementsAre(2, 2));
  EXPECT_THAT(sizes(80), ElementsAre(2, 1, 1));
  EXPECT_THAT(sizes(79), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(sizes(1), ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(DivideIntoShards({}, 1).size(), 1u);
}

TEST_F(SafetensorsShardsTest, WhatWasSavedComesBack) {
  SaveShards(files_, dir_.path(), tensors_, {{"format", "pt"}}, 80);
  EXPECT_TRUE(fs::exists(dir_.path() / "model-00001-of-00003.safetensors"));
  EXPECT_FALSE(fs::exists(dir_.path() / "model.safetensors"));
  const SafetensorsFile loaded = Load();
  ASSERT_EQ(loaded.tensors.size(), tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    EXPECT_EQ(loaded.tensors[i].name, tensors_[i].name);
    ExpectBitEqual(loaded.tensors[i].tensor, tensors_[i].tensor);
  }
  EXPECT_EQ(loaded.metadata.at("format"), "pt");
}

TEST_F(SafetensorsShardsTest, OneFileNeedsNoIndex) {
  SaveShards(files_, dir_.path(), tensors_, {}, 1000);
  EXPECT_FALSE(fs::exists(dir_.path() / "model.safetensors.index.json"));
  EXPECT_EQ(LoadSafetensors(files_, dir_.path() / "model.safetensors").tensors.size(), tensors_.size());
}

TEST_F(SafetensorsShardsTest, RefusesAnIndexThatDoesNotFitItsFiles) {
  SaveSafetensors(files_, dir_.path() / "x.safetensors", {{"a", Tensor::Zeros({1})}, {"b", Tensor::Zeros({1})}});
  SaveSafetensors(files_, dir_.path() / "y.safetensors", {{"b", Tensor::Zeros({1})}});
  WriteIndex(R"({"a": "x.safetensors", "b": "x.safetensors"})");
  EXPECT_EQ(Load().tensors.size(), 2u);
  const auto expect = [&](const std::string& weight_map, const std::string& message) {
    SCOPED_TRACE(weight_map);
    WriteIndex(weight_map);
    EXPECT_ERROR(Load(), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  expect(R"({"a": "z.safetensors"})", "index.json: names 'z.safetensors', which is missing");
  expect(R"({"a": "x.safetensors"})", "x.safetensors: holds tensor 'b', which the index has in nowhere");
  expect(R"({"a": "x.safetensors", "b": "y.safetensors"})", "holds tensor 'b', which the index has in 'y.safetensors'");
  expect(R"({"a": "x.safetensors", "b": "x.safetensors", "c": "x.safetensors"})",
         "has tensor 'c' in 'x.safetensors', which does not hold it");
  for (const std::string name :
       {"../x.safetensors", "/x.safetensors", ".safetensors", "sub/x.safetensors", "x.bin", ""}) {
    expect("{\"a\": \"" + name + "\"}", "tensor 'a': '" + name + "', expected the name of a .safetensors file");
  }
  expect(R"({"a": 1})", "tensor 'a': no string, expected");
  expect(R"({"a": "x.safetensors", "a": "x.safetensors"})", "'a' comes twice");
  expect("[]", "has no weight_map");
  expect("{} ,", "not valid JSON");
  expect(std::string(100, '['), "nested deeper than 32");
  Write("model.safetensors.index.json", "{}");
  EXPECT_ERROR(Load(), ErrorKind::kInvalidInput, HasSubstr("has no weight_map"));
}

}  // namespace
}  // namespace twofour
