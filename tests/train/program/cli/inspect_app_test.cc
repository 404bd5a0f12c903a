// `trainer inspect` on runs and on files of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class InspectAppTest : public test::AppRunner {
 protected:
  void Train() {
    WriteTextFile(dir_ / "c.pbtxt", R"(
      model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 4 batch_size: 16 }
      sparsity { enabled: true }
      checkpoint { every_steps: 2 }
      logging { tensorboard: false }
    )");
    const Outcome outcome = Run({"--config", Path("c.pbtxt"), "--out", Path("run")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
};

TEST_F(InspectAppTest, ARunAndItsCheckpoint) {
  Train();
  const auto is_sparse =
      ContainsRegex("\"blocks.0.mlp.c_fc.weight\" +F32 +\\[32, 16\\] +sparsity 0.5000 .* 2:4 along rows and columns\n");
  const auto is_dense = ContainsRegex("\"head.weight\" +F32 +\\[10, 16\\] +sparsity 0.0000\n");
  const Outcome final_model = Run({"inspect", Path("run")});
  EXPECT_EQ(final_model.code, 0) << final_model.err;
  EXPECT_THAT(final_model.out, AllOf(StartsWith(Path("run/model.safetensors") + ": "), is_sparse, is_dense));
  EXPECT_EQ(Run({"inspect", Path("run/model.safetensors")}).out, final_model.out);

  fs::remove(dir_ / "run/model.safetensors");
  const Outcome newest = Run({"inspect", Path("run") + "/"});
  EXPECT_EQ(newest.code, 0) << newest.err;
  EXPECT_THAT(newest.out, AllOf(StartsWith(Path("run/checkpoints/step-4/model.safetensors")), is_sparse));
}

TEST_F(InspectAppTest, ACheckpointByAnyName) {
  Train();
  WriteTextFile(dir_ / "run/checkpoints/named", "step-2\n");  // How checkpoints are named where there are no links.
  for (const std::string name : {"step-2", "step-4", "last", "best", "named"}) {
    const Outcome outcome = Run({"inspect", Path("run/checkpoints/" + name)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, StartsWith(Path("run/checkpoints/step-"))) << name;
  }
  fs::copy(dir_ / "run/checkpoints/step-2", dir_ / "copy");  // Belongs to no run.
  EXPECT_THAT(Run({"inspect", Path("copy")}).out, StartsWith(Path("copy/model.safetensors") + ": "));
}

TEST_F(InspectAppTest, JsonHasTheFirstViolation) {
  Tensor weight = Tensor::Zeros({2, 8});
  for (const int64_t i : {0, 9, 10, 11}) weight.mutable_data<float>()[i] = 1;
  SaveSafetensors(FileSystem::Default(), dir_ / "w", {{"w", weight}, {"ids", Tensor::Zeros({3}, DType::kI64)}});
  const Outcome outcome = Run({"inspect", Path("w"), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string first, second;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second));
  const auto json = nlohmann::json::parse(first);
  EXPECT_EQ(json["sparsity"], 0.75);
  EXPECT_EQ(json["along_rows"], nlohmann::json({"3:4", "3:8"}));
  EXPECT_EQ(json["not_2_4_along_rows"], "3 non-zero entries in row 1, columns 0 to 3; at most 2 are allowed");
  EXPECT_FALSE(json.contains("not_2_4_along_columns"));
  EXPECT_EQ(nlohmann::json::parse(second), nlohmann::json({{"name", "ids"}, {"dtype", "I64"}, {"shape", {3}}}));
  EXPECT_THAT(Run({"inspect", Path("w")}).out, HasSubstr("not 2:4 along rows: 3 non-zero entries in row 1"));
}

TEST_F(InspectAppTest, ShardsAreOneList) {
  const std::string folder = (fs::path(TWOFOUR_SOURCE_DIR) / "tests/fixtures/checkpoints/llama").string();
  const Outcome outcome = Run({"inspect", folder});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(StartsWith(folder + "/model.safetensors.index.json: 21 tensors\n"),
                                 HasSubstr("\"model.embed_tokens.weight\""), HasSubstr("\"lm_head.weight\"")));
  EXPECT_EQ(Run({"inspect", folder + "/model.safetensors.index.json"}).out, outcome.out);
}

TEST_F(InspectAppTest, PackedWeightsAreListedAsTheWeightsThatTheyMake) {
  Train();
  const std::string unpacked = Run({"inspect", Path("run"), "--json"}).out;
  const std::string weight = R"("name":"blocks.0.mlp.c_fc.weight")";
  ASSERT_THAT(unpacked, HasSubstr(weight));
  for (const std::string format : {"packed", "sparse24-bitmask"}) {
    SCOPED_TRACE(format);
    ASSERT_EQ(Run({"export", "--run", Path("run"), "--format", format, "-o", Path(format)}).code, 0);
    const Outcome lines = Run({"inspect", Path(format)});
    EXPECT_EQ(lines.err, "");
    EXPECT_THAT(lines.out,
                ContainsRegex("\"blocks.0.mlp.c_fc.weight\" +F32 +\\[32, 16\\] +sparsity 0.5000 \\(" + format +
                              " 2:4, 0\\.5[0-9]+ of its dense bytes\\)  2:4 along rows and "
                              "columns\n"));
    EXPECT_THAT(Run({"inspect", Path(format), "--json"}).out,
                HasSubstr("\"form\":\"" + format + "\",\"pattern\":\"2:4\",\"share_of_dense_bytes\":0.5"));
  }
}

TEST_F(InspectAppTest, PartsThatMakeNoWeightAreListedAsTheyAre) {
  // As compressed-tensors' packed integers are called.
  SaveSafetensors(FileSystem::Default(), dir_ / "f",
                  {{"a.weight_packed", Tensor::Zeros({4, 2}, DType::kI32)}, {"a.weight_scale", Tensor::Zeros({4})}});
  const Outcome outcome = Run({"inspect", Path("f")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\"a.weight_packed\""), HasSubstr("\"a.weight_scale\"")));
  EXPECT_EQ(outcome.err, "note: packed weights are listed in parts: " + Path("f") +
                             ": tensor 'a.weight' is semi-structured, but 'a.weight_meta' is missing\n");
}

TEST_F(InspectAppTest, WhatHoldsNoWeightsIsRefused) {
  EXPECT_THAT(Run({"inspect", Path("none")}), FailsWith(2, HasSubstr(Path("none"))));
  EXPECT_THAT(Run({"inspect", dir_.path().string()}), FailsWith(2, HasSubstr("holds neither model.safetensors nor")));
  WriteTextFile(dir_ / "text", "no weights");
  EXPECT_THAT(Run({"inspect", Path("text")}), FailsWith(2, HasSubstr(Path("text") + ": ")));
  EXPECT_THAT(Run({"inspect"}), FailsWith(2, HasSubstr("PATH")));
}

}  // namespace
}  // namespace twofour::train
