// `trainer export`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/train/exchange/packed_tensors.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/exchange_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ExpectBitEqual;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ExportAppTest : public test::ExchangeRunner {};

TEST_F(ExportAppTest, EachFormatComesBackAsTheSameMaskedWeights) {
  Train("run");
  ASSERT_EQ(Export("run", "masked").code, 0);
  const SafetensorsFile masked = Read("masked");
  EXPECT_EQ(masked.metadata.at("format"), "pt");
  EXPECT_EQ(masked.metadata.at("step"), "4");
  EXPECT_EQ(masked.Find("blocks.0.mlp.c_fc.weight_mask"), nullptr);
  for (const std::string format : {"masked", "packed", "sparse24-bitmask", "semi-structured"}) {
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
      if (format == "semi-structured" && dtype == DType::kF32) continue;
      SCOPED_TRACE(format + " " + std::string(NameOf(dtype)));
      const std::string name = format + std::string(NameOf(dtype));
      const Outcome outcome =
          Export("run", name, {"--format", format, "--dtype", std::string(InfoOf(dtype).safetensors_name)});
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      SafetensorsFile file = Read(name);
      EXPECT_EQ(file.Find("blocks.0.mlp.c_fc.weight") != nullptr, format == "masked");
      UnpackTensors(file, name);
      for (const NamedTensor& named : masked.tensors) {
        SCOPED_TRACE(named.name);
        ASSERT_NE(file.Find(named.name), nullptr);
        ExpectBitEqual(*file.Find(named.name), named.tensor.To(dtype));
      }
      EXPECT_EQ(file.tensors.size(), masked.tensors.size());
    }
  }
  // Every zero is +0.
  const Tensor weight = *masked.Find("blocks.0.mlp.c_fc.weight");
  int64_t zeros = 0;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    zeros += weight.data<float>()[i] == 0;
    EXPECT_FALSE(weight.data<float>()[i] == 0 && std::signbit(weight.data<float>()[i]));
  }
  EXPECT_EQ(zeros, weight.numel() / 2);
}

TEST_F(ExportAppTest, DenseIsTheFinalModel) {
  Train("run");
  const Outcome outcome = Export("run", "dense", {"--format", "dense"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("2 masked weights beside their masks, weights from " + Path("run/model.safetensors")));
  EXPECT_EQ(ReadTextFile(dir_ / "dense"), ReadTextFile(dir_ / "run/model.safetensors"));
}

TEST_F(ExportAppTest, OnnxHoldsTheMaskedWeights) {
  Train("run");  // ONNX's checker is a part of the export.
  ASSERT_EQ(Export("run", "masked").code, 0);
  const Outcome outcome = Export("run", "model.onnx", {"--format", "onnx"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string bytes = ReadTextFile(dir_ / "model.onnx");
  for (const NamedTensor& named : Read("masked").tensors) {
    const std::string elements(reinterpret_cast<const char*>(named.tensor.raw()),
                               static_cast<size_t>(named.tensor.numel()) * sizeof(float));
    EXPECT_NE(bytes.find(elements), std::string::npos) << named.name;
  }
  EXPECT_THAT(Export("run", "x", {"--format", "onnx", "--dtype", "F16"}),
              FailsWith(2, HasSubstr("--dtype F16: onnx takes F32; runtimes round the weights themselves")));
  EXPECT_THAT(Export("run", "x", {"--format", "onnx", "--shard-size", "1"}),
              FailsWith(2, HasSubstr("--format onnx: is one file, without --names and --shard-size")));
}

TEST_F(ExportAppTest, OnnxOfPrunedActivationsCannotBeWritten) {
  Train("run", {"--set", "sparsity.target=ACTIVATION"});
  EXPECT_THAT(Export("run", "x", {"--format", "onnx"}),
              FailsWith(2, HasSubstr("prunes its activations, for which ONNX has no operator")));
}

TEST_F(ExportAppTest, OnnxOfAConvNetCannotBeWritten) {
  Train("run", {"--set", "model={ conv_net { convolutions { channels: 16 stride: 4 } } }", "--dense"});
  EXPECT_THAT(Export("run", "x", {"--format", "onnx"}), FailsWith(2, HasSubstr("the run's model is a conv_net")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(ExportAppTest, ACheckpointCanBeExported) {
  Train("run");
  ASSERT_EQ(Export("run", "two", {"--checkpoint", "2"}).code, 0);
  EXPECT_EQ(Read("two").metadata.at("step"), "2");
  EXPECT_THAT(Export("run", "none", {"--checkpoint", ""}), FailsWith(2, HasSubstr("--checkpoint '': ")));
  EXPECT_FALSE(fs::exists(dir_ / "none"));
  fs::remove_all(dir_ / "run/checkpoints");
  EXPECT_THAT(Export("run", "none", {"--checkpoint", "best"}),
              FailsWith(2, HasSubstr("has no such checkpoint: it has none, expected no --checkpoint")));
}

TEST_F(ExportAppTest, ShardsComeBack) {
  Train("run");
  // At least a megabyte goes into each file, so that one is enough.
  ASSERT_EQ(Export("run", "folder", {"--shard-size", "1"}).code, 0);
  EXPECT_TRUE(fs::exists(dir_ / "folder/model.safetensors"));
  EXPECT_EQ(Import(Path("folder"), "again", {"--config", Path("c.pbtxt")}).code, 0);
  EXPECT_THAT(Export("run", "folder", {"--shard-size", "1"}),
              FailsWith(2, HasSubstr("--output " + Path("folder") + ": is there already")));
}

TEST_F(ExportAppTest, WeightsWithZerosInPlaceArePackedWithoutMasks) {
  Train("run");
  ASSERT_EQ(Export("run", "masked").code, 0);
  ASSERT_EQ(Import(Path("masked"), "imported", {"--config", Path("c.pbtxt"), "--set", "sparsity.enabled=false"}).code,
            0);
  const Outcome packed = Export("imported", "packed", {"--format", "packed"});
  EXPECT_EQ(packed.code, 0) << packed.err;
  EXPECT_THAT(packed.out, HasSubstr("2 masked weights packed"));
  EXPECT_NE(Read("packed").Find("blocks.0.mlp.c_fc.weight_values"), nullptr);
}

TEST_F(ExportAppTest, RefusesWhatCannotBeExported) {
  Train("run");
  Train("dense_run", {"--dense"});
  Train("wide", {"--set", "model.residual_mlp.hidden_features=80"});
  const auto before = test::SnapshotOf(dir_.path());
  EXPECT_THAT(
      Export("run", "x", {"--format", "zip"}),
      FailsWith(2, HasSubstr("--format 'zip': expected dense, masked, packed, sparse24-bitmask, semi-structured")));
  EXPECT_THAT(Export("run", "x", {"--dtype", "F8"}), FailsWith(2, HasSubstr("--dtype 'F8': expected F32, F16, BF16")));
  EXPECT_THAT(
      Export("run", "x", {"--format", "semi-structured"}),
      FailsWith(2, HasSubstr("--dtype F32: semi-structured takes F16 or BF16: for 32-bit numbers, the pattern of "
                             "GPUs is 1:2 and not 2:4")));
  EXPECT_THAT(
      Export("wide", "x", {"--format", "semi-structured", "--dtype", "F16"}),
      FailsWith(2, HasSubstr("tensor 'blocks.0.mlp.c_fc.weight': shape [80, 64], semi-structured takes multiples "
                             "of [32, 64]")));
  EXPECT_THAT(Export("run", "x", {"--format", "packed", "--pattern", "1:4"}),
              FailsWith(2, HasSubstr("tensor 'blocks.0.mlp.c_fc.weight': row 0 has 2 non-zeros in columns 0 to 3, 1:4 "
                                     "allows 1")));
  EXPECT_THAT(Export("run", "x", {"--format", "packed", "--pattern", "2:"}),
              FailsWith(2, HasSubstr("--pattern '2:': expected N:M")));
  EXPECT_THAT(Export("run", "x", {"--format", "packed", "--pattern", "6:2:8"}),
              FailsWith(2, HasSubstr("--pattern '6:2:8': expected N:M with 1 <= N <= M <= 32, such as 2:4, or V:2:M "
                                     "with V a multiple of 4 from 4 to 256 and M from 5 to 32, such as 64:2:8")));
  EXPECT_THAT(Export("run", "x", {"--format", "packed", "--pattern", "16:2:8"}),
              FailsWith(2, HasSubstr("tensor 'blocks.0.mlp.c_fc.weight': is not 16:2:8: 8 columns are not zero in rows "
                                     "0 to 15, columns 0 to 7; at most 4 are allowed")));
  EXPECT_THAT(Export("run", "x", {"--pattern", "2:4"}), FailsWith(2, HasSubstr("--pattern: is for --format packed")));
  EXPECT_THAT(
      Export("dense_run", "x", {"--format", "packed"}),
      FailsWith(2, HasSubstr("no weight is masked or has zeros in the pattern 2:4, so that none can be packed")));
  EXPECT_THAT(Export("run", "x", {"--names", "huggingface"}),
              FailsWith(2, HasSubstr("the run's model is no language model")));
  EXPECT_THAT(Export("run", "run/model.safetensors"), FailsWith(2, HasSubstr("is a file of the run")));
  EXPECT_THAT(Run({"export", "--run", Path("run"), "-o", "-"}), FailsWith(2, HasSubstr("weights are not printed")));
  EXPECT_THAT(Export("run", "no/x"), FailsWith(2, HasSubstr("there is no folder")));
  EXPECT_THAT(Export("nothing", "x"), FailsWith(2, HasSubstr("nothing")));
  EXPECT_EQ(test::SnapshotOf(dir_.path()), before);
}

TEST_F(ExportAppTest, TooLargeForHalfPrecision) {
  Train("run");
  SafetensorsFile model = Read("run/model.safetensors");
  for (NamedTensor& named : model.tensors) {
    if (named.name == "head.bias") named.tensor.mutable_data<float>()[3] = 1e5f;
  }
  SaveSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors", model.tensors, model.metadata);
  EXPECT_THAT(Export("run", "x", {"--dtype", "F16"}),
              FailsWith(2, HasSubstr("tensor 'head.bias': element 3 is 100000, which is too large for F16")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
  EXPECT_EQ(Export("run", "x", {"--dtype", "BF16"}).code, 0);
}

TEST_F(ExportAppTest, SaysHowManyWeightsVanish) {
  Train("run");
  SafetensorsFile model = Read("run/model.safetensors");
  for (NamedTensor& named : model.tensors) {
    if (named.tensor.dtype() != DType::kF32) continue;
    float* const data = named.tensor.mutable_data<float>();
    // None is small by training.
    for (int64_t i = 0; i < named.tensor.numel(); ++i)
      data[i] = std::copysign(std::max(std::fabs(data[i]), 1e-3F), data[i]);
    if (named.name != "head.bias") continue;
    data[0] = 2e-8F;
    data[1] = -1e-9F;
    data[2] = 0;
  }
  SaveSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors", model.tensors, model.metadata);
  EXPECT_THAT(Export("run", "x", {"--dtype", "F16"}).err, HasSubstr("note: 2 weights are too small for F16"));
  EXPECT_EQ(Export("run", "y", {"--dtype", "BF16"}).err, "");
}

TEST_F(ExportAppTest, WhatARunNeedsOrWritesIsNotReplaced) {
  Train("run");
  EXPECT_THAT(Export("run", "run/checkpoints/step-99", {"--shard-size", "1"}),
              FailsWith(2, HasSubstr("is a file of the run")));
  WriteTextFile(dir_ / "table.csv", "a,b,label\n1,2,x\n2,1,y\n3,4,x\n4,3,y\n5,6,x\n6,5,y\n");
  ASSERT_EQ(
      Run({"--config", Path("c.pbtxt"), "--out", Path("of_table"), "--dense", "--set",
           "data={ csv { path: \"" + Path("table.csv") + "\" label: \"label\" } }", "--set", "training.batch_size=2"})
          .code,
      0);
  EXPECT_THAT(Export("of_table", "table.csv"), FailsWith(2, HasSubstr("which is needed and would be lost")));
  EXPECT_THAT(ReadTextFile(dir_ / "table.csv"), StartsWith("a,b,label"));
}

TEST_F(ExportAppTest, TransformersReadsNoPackedWeights) {
  ASSERT_EQ(Import(Checkpoint("llama"), "run").code, 0);
  for (const std::string format : {"packed", "sparse24-bitmask", "dense"}) {
    EXPECT_THAT(
        Export("run", "x", {"--names", "huggingface", "--format", format}),
        FailsWith(2, HasSubstr("--format " + format + ": transformers reads neither packed weights nor masks")));
  }
}

}  // namespace
}  // namespace twofour::train
