#include "twofour/train/program/config/initial_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/mlp_stack.h"

#include "tests/core/io/safetensors_bytes.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

class InitialWeightsTest : public ::testing::Test {
 protected:
  InitialWeightsTest()
      : generator_(1), model_({.in_features = 2, .hidden_features = {}, .out_features = 1}, generator_) {}

  /// Writes a file in which all weights are 1. `weight` is the header's entry for the weight, and `more` are further
  /// entries, whose `more_bytes` bytes of data begin at byte 12.
  std::string Write(const std::string& weight, const std::string& more, size_t more_bytes) {
    const std::string header =
        R"({"layers.0.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)" + weight + more + "}";
    std::string data;
    for (int i = 0; i < 3; ++i) data += std::string_view("\0\0\x80\x3f", 4);
    data.append(more_bytes, '\x7f');
    const std::vector<std::byte> bytes = test::SafetensorsBytes(header, data);
    const std::span<const std::byte> piece = bytes;
    FileSystem::Default().WriteFile(dir_ / "w.safetensors", {&piece, 1});
    return (dir_ / "w.safetensors").string();
  }

  test::TempDir dir_;
  Generator generator_;
  nn::MlpStack model_;
};

const std::string kWeight = R"("layers.0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]})";

TEST_F(InitialWeightsTest, WhatTheModelDoesNotHaveMayBeOfAnyType) {
  const std::string path =
      Write(kWeight,
            R"(,"__metadata__":null,"num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[12,20]},)"
            R"("half":{"dtype":"BF16","shape":[2],"data_offsets":[20,24]},)"
            R"("new":{"dtype":"F1","shape":[8],"data_offsets":[24,25]})",
            13);
  LoadInitialWeights(path, model_);
  for (const NamedTensor& parameter : model_.NamedParameters()) {
    EXPECT_THAT(parameter.tensor.ToVector(), Each(1)) << parameter.name;
  }
}

TEST_F(InitialWeightsTest, WhatTheModelHasIsRefusedWithBothTypes) {
  const std::string path = Write(R"("layers.0.weight":{"dtype":"F16","shape":[2,2],"data_offsets":[4,12]})",
                                 R"(,"other":{"dtype":"I64","shape":[],"data_offsets":[12,20]})", 8);
  EXPECT_ERROR(LoadInitialWeights(path, model_), ErrorKind::kInvalidInput,
               "config: initial_weights: " + path +
                   ": tensor 'layers.0.weight': dtype F16 [2, 2], the model expects f32 [1, 2]");
  const std::string unknown = Write(R"("layers.0.weight":{"dtype":"f32","shape":[1,2],"data_offsets":[4,12]})", "", 0);
  EXPECT_ERROR(LoadInitialWeights(unknown, model_), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("unknown dtype 'f32' [1, 2], the model expects f32 [1, 2]"), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace twofour::train
