// `trainer import`, and what becomes of imported runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

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
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ImportAppTest : public test::ExchangeRunner {};

TEST_F(ImportAppTest, MasksTravelWithASparseRunOnly) {
  Train("run", {"--set", "sparsity={ enabled: true algorithm: ROWS soft_threshold: true }"});
  ASSERT_EQ(Export("run", "dense", {"--format", "dense"}).code, 0);
  const std::string before = Run({"evaluate", "--run", Path("run"), "--json"}).out;
  const std::vector<std::string> soft = {"--config", Path("c.pbtxt"), "--set",
                                         "sparsity={ enabled: true algorithm: ROWS soft_threshold: true }"};
  ASSERT_EQ(Import(Path("dense"), "again", soft).code, 0);
  EXPECT_THAT(Run({"evaluate", "--run", Path("again"), "--json"}).out,
              HasSubstr(before.substr(before.find("\"loss\""))));
  EXPECT_THAT(Import(Path("dense"), "x", {"--config", Path("c.pbtxt"), "--set", "sparsity.enabled=false"}),
              FailsWith(2, HasSubstr("4 tensors that the model does not have: 'blocks.0.mlp.c_fc.weight_mask'")));
  EXPECT_THAT(Import(Path("dense"), "x", {"--config", Path("c.pbtxt")}),
              FailsWith(2, HasSubstr("blocks.0.mlp.c_fc.weight_mask_scale")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(ImportAppTest, ImportedWeightsEvaluateAsBefore) {
  Train("run");
  const std::string before = Run({"evaluate", "--run", Path("run"), "--json"}).out;
  const std::string metrics = before.substr(before.find("\"loss\""));
  for (const std::string format : {"dense", "masked", "packed", "sparse24-bitmask"}) {
    SCOPED_TRACE(format);
    ASSERT_EQ(Export("run", format, {"--format", format}).code, 0);
    const Outcome outcome = Import(Path(format), "imported_" + format, {"--config", Path("c.pbtxt")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Outcome evaluated = Run({"evaluate", "--run", Path("imported_" + format), "--json"});
    EXPECT_EQ(evaluated.code, 0) << evaluated.err;
    EXPECT_THAT(evaluated.out, HasSubstr(metrics));
  }
}

TEST_F(ImportAppTest, CountsMasksAndNotWhatACheckpointHasBesideThem) {
  Train("run", {"--set", "sparsity={ enabled: true algorithm: VNM vnm { v: 16 m: 8 } score: RIA }"});
  const Outcome outcome = Import(Path("run/checkpoints/last/model.safetensors"), "imported",
                                 {"--config", Path("c.pbtxt"), "--set",
                                  "sparsity={ enabled: true algorithm: VNM vnm { v: 16 m: 8 } score: RIA }"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(" parameters, 2 masks, weights from "));
}

class CheckpointAppTest : public ImportAppTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(CheckpointAppTest, IsImportedSampledTrainedAndGoesBack) {
  const std::string name = GetParam();
  const Outcome imported = Import(Checkpoint(name), "run");
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("Gpt with "));
  const Outcome sampled = Run({"sample", "--run", Path("run"), "--prompt", "3 4", "--tokens", "5"});
  EXPECT_EQ(sampled.code, 0) << sampled.err;
  EXPECT_THAT(sampled.out, StartsWith("3 4 "));  // The BOS token of a Llama is not shown.
  // Whatever is drawn first ends this model's texts.
  std::vector<std::string> all = {"--set", "model.gpt.eos_tokens=[0"};
  for (int token = 1; token < 61; ++token) all.back() += ", " + std::to_string(token);
  all.back() += "]";
  ASSERT_EQ(Import(Checkpoint(GetParam()), "ends", all).code, 0);
  EXPECT_EQ(Run({"sample", "--run", Path("ends"), "--prompt", "3 4", "--tokens", "5"}).out, "3 4 \n");
  EXPECT_EQ(Run({"sample", "--run", Path("ends"), "--prompt", "3 4", "--tokens", "5", "--ignore-eos"}).out,
            Run({"sample", "--run", Path("run"), "--prompt", "3 4", "--tokens", "5", "--ignore-eos"}).out);

  EXPECT_EQ(Export("run", "model.onnx", {"--format", "onnx"}).code, 0);
  ASSERT_EQ(Export("run", "back", {"--names", "huggingface"}).code, 0);
  ASSERT_EQ(Import(Path("back"), "again").code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "again/model.safetensors"), ReadTextFile(dir_ / "run/model.safetensors"));

  std::string ids(2 * 600, '\0');
  for (size_t i = 0; i < 600; ++i) ids[2 * i] = static_cast<char>(i * i % 61);
  WriteTextFile(dir_ / "ids", ids);
  const Outcome trained = Run({"--config", Path("run/config.pbtxt"), "--sparse", "--out", Path("trained"), "--set",
                               "initial_weights=" + Path("run/model.safetensors"), "--set",
                               "data.tokens.path=" + Path("ids"), "--set", "training={ steps: 2 batch_size: 2 }",
                               "--set", "model.gpt.sequence_length=8", "--set", "logging.tensorboard=false"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(ReadTextFile(dir_ / "trained/config.pbtxt"), Not(HasSubstr("imported_from")));
  const Outcome sparse = Export("trained", "sparse", {"--names", "huggingface", "--dtype", "BF16"});
  ASSERT_EQ(sparse.code, 0) << sparse.err;
  EXPECT_THAT(ReadTextFile(dir_ / "sparse/config.json"), HasSubstr("bfloat16"));
  ASSERT_EQ(Import(Path("sparse"), "sparse_again").code, 0);
  EXPECT_THAT(Run({"inspect", Path("sparse_again")}).out, HasSubstr("sparsity 0.5000"));
}

INSTANTIATE_TEST_SUITE_P(All, CheckpointAppTest, ::testing::Values("gpt2", "llama"),
                         [](const auto& test) { return std::string(test.param); });

TEST_F(ImportAppTest, ALlamaKeepsTheSizeOfItsHeads) {
  std::string ids(2 * 600, '\0');
  for (size_t i = 0; i < 600; ++i) ids[2 * i] = static_cast<char>(i * i % 61);
  WriteTextFile(dir_ / "ids", ids);
  WriteTextFile(
      dir_ / "heads.pbtxt",
      "model { gpt { depth: 1 width: 32 heads: 3 kv_heads: 1 head_features: 12 sequence_length: 16 soft_cap: 0 "
      "activation: SWIGLU norm: WEIGHTED_RMS embedding_norm: false query_key_norm: false "
      "rotary_counterclockwise: true } } data { tokens { path: '" +
          Path("ids") + "' vocab_size: 61 } } training { steps: 2 batch_size: 4 } logging { tensorboard: false }");
  const Outcome trained = Run({"--config", Path("heads.pbtxt"), "--out", Path("run")});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(Export("run", "model.onnx", {"--format", "onnx"}).code, 0);
  const Outcome exported = Export("run", "llama", {"--names", "huggingface"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  ASSERT_EQ(Import(Path("llama"), "again").code, 0);
  for (const NamedTensor& named : Read("run/model.safetensors").tensors) {
    ExpectBitEqual(*Read("again/model.safetensors").Find(named.name), named.tensor);
  }
  EXPECT_THAT(ReadTextFile(dir_ / "again/config.pbtxt"), HasSubstr("head_features: 12"));
  const auto sample = [&](const char* run) {
    return Run({"sample", "--run", Path(run), "--prompt", "3 4", "--tokens", "20"}).out;
  };
  EXPECT_THAT(sample("run"), StartsWith("3 4 "));
  EXPECT_EQ(sample("again"), sample("run"));
}

TEST_F(ImportAppTest, AnImportedRunHasNothingToResumeAndNoData) {
  ASSERT_EQ(Import(Checkpoint("gpt2"), "run").code, 0);
  EXPECT_THAT(Run({"--resume", Path("run")}),
              FailsWith(2, HasSubstr("the run was imported, permuted or pruned and has never trained")));
  EXPECT_THAT(Run({"evaluate", "--run", Path("run")}),
              FailsWith(2, HasSubstr("the run was imported and has no data of its own, expected --data FILE")));
  EXPECT_THAT(Run({"--config", Path("run/config.pbtxt"), "--out", Path("x")}),
              FailsWith(2, HasSubstr("data.tokens.path: missing")));
  EXPECT_THAT(Run({"sample", "--run", Path("run"), "--prompt", "1 2 3", "--tokens", "40"}),
              FailsWith(2, HasSubstr("--tokens 40: after a prompt of 3 tokens, expected at most 14")));
  EXPECT_EQ(Run({"sample", "--run", Path("run"), "--prompt", "1 2 3", "--tokens", "14"}).code, 0);
  EXPECT_THAT(Import(Checkpoint("gpt2"), "run"), FailsWith(2, HasSubstr(Path("run"))));
  EXPECT_EQ(Import(Checkpoint("gpt2"), "run", {"--overwrite"}).code, 0);
}

TEST_F(ImportAppTest, AMapRenamesDividesAndTransposes) {
  Train("run", {"--dense"});
  ASSERT_EQ(Export("run", "own").code, 0);
  std::vector<NamedTensor> theirs;
  Tensor head;
  for (const NamedTensor& named : Read("own").tensors) {
    if (named.name == "input.weight" || named.name == "input.bias") {
      theirs.push_back({"model.0.stem." + named.name.substr(6), named.tensor.To(DType::kF64)});
    } else if (named.name == "blocks.0.mlp.c_fc.weight") {  // Transposed, [64, 64].
      Tensor turned = Tensor::Empty(named.tensor.shape());
      for (int64_t i = 0; i < 64; ++i) {
        for (int64_t j = 0; j < 64; ++j) {
          turned.mutable_data<float>()[j * 64 + i] = named.tensor.data<float>()[i * 64 + j];
        }
      }
      theirs.push_back({"conv1d", turned});
    } else {
      theirs.push_back(named);
    }
  }
  theirs.push_back({"extra.position_ids", Tensor::Zeros({4}, DType::kI64)});
  SaveSafetensors(FileSystem::Default(), dir_ / "theirs.safetensors", theirs);
  WriteTextFile(dir_ / "map", R"map(
    rule { from: "model\\.(\\d+)\\.stem\\.(.*)" to: "input.$2"
}
    rule { from: "conv1d" to: "blocks.0.mlp.c_fc.weight" transpose: true }
    skip: "extra\\..*"
  )map");
  const std::vector<std::string> with_map = {"--config", Path("c.pbtxt"), "--set", "sparsity.enabled=false",
                                             "--map",    Path("map")};
  const Outcome outcome = Import(Path("theirs.safetensors"), "imported", with_map);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const NamedTensor& named : Read("own").tensors) {
    ExpectBitEqual(*Read("imported/model.safetensors").Find(named.name), named.tensor);
  }
  WriteTextFile(dir_ / "map", R"map(rule { from: "model.*" to: "input.weight" })map");
  EXPECT_THAT(Import(Path("theirs.safetensors"), "x", with_map),
              FailsWith(2, HasSubstr("map: 'model.0.stem.weight' and 'model.0.stem.bias' both become 'input.weight'")));
  WriteTextFile(dir_ / "map", R"map(rule { from: "(" to: "input.weight" })map");
  EXPECT_THAT(Import(Path("theirs.safetensors"), "x", with_map),
              FailsWith(2, HasSubstr("map: rule 1: from: '(', expected a regular expression")));
  WriteTextFile(dir_ / "map", R"map(rule { from: "a" })map");
  EXPECT_THAT(Import(Path("theirs.safetensors"), "x", with_map), FailsWith(2, HasSubstr("map: rule 1: to is missing")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(ImportAppTest, RefusesTensorsThatDoNotFitUnlessPartial) {
  Train("run", {"--dense"});
  ASSERT_EQ(Export("run", "own").code, 0);
  const std::vector<std::string> config = {"--config", Path("c.pbtxt"), "--set", "sparsity.enabled=false"};
  const auto import = [&](auto change, std::vector<std::string> more = {}) {
    std::vector<NamedTensor> tensors = Read("own").tensors;
    change(tensors);
    SaveSafetensors(FileSystem::Default(), dir_ / "f", tensors);
    more.insert(more.end(), config.begin(), config.end());
    return Import(Path("f"), "x", more);
  };
  const auto set = [](std::vector<NamedTensor>& tensors, const std::string& name, const Tensor& tensor) {
    for (NamedTensor& named : tensors) {
      if (named.name == name) named.tensor = tensor;
    }
  };
  const auto one_less_one_more = [](auto& tensors) { tensors.front().name = "other"; };
  EXPECT_THAT(
      import(one_less_one_more),
      FailsWith(2, HasSubstr("f: 1 of the model's tensors missing: 'input.weight'; 1 tensors that the model does "
                             "not have: 'other'; --partial loads what fits")));
  EXPECT_THAT(import([&](auto& t) { set(t, "head.bias", Tensor::Zeros({11})); }),
              FailsWith(2, HasSubstr("f: tensor 'head.bias': shape [11], expected [10]")));
  EXPECT_THAT(import([&](auto& t) { set(t, "head.bias", Tensor::Zeros({10}, DType::kI64)); }),
              FailsWith(2, HasSubstr("f: tensor 'head.bias': I64, expected F32, F16, BF16 or F64")));
  EXPECT_THAT(import([&](auto& t) { set(t, "head.bias", Tensor::Full({10}, 1e300, DType::kF64)); }),
              FailsWith(2, HasSubstr("element 0 is 1e+300, which no 32-bit float can hold")));
  EXPECT_THAT(import([&](auto& t) { set(t, "head.bias", Tensor::Full({10}, NAN)); }),
              FailsWith(2, HasSubstr("head.bias")));
  EXPECT_THAT(import([](auto& t) { t.clear(); }, {"--partial"}),
              FailsWith(2, HasSubstr("f: holds none of the model's tensors")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
  const Outcome partial = import(one_less_one_more, {"--partial"});
  EXPECT_EQ(partial.code, 0) << partial.err;
  EXPECT_THAT(partial.err, AllOf(HasSubstr("note: 1 tensors are missing and stay random: 'input.weight'"),
                                 HasSubstr("note: 1 tensors are left out: 'other'")));
}

TEST_F(ImportAppTest, TellsOfWeightsThatTheRecipePrunes) {
  Train("run");
  Train("dense_run", {"--dense"});
  ASSERT_EQ(Export("dense_run", "dense").code, 0);
  ASSERT_EQ(Export("run", "masked").code, 0);
  const Outcome pruned = Import(Path("dense"), "pruned", {"--config", Path("c.pbtxt")});
  EXPECT_EQ(pruned.code, 0) << pruned.err;
  EXPECT_THAT(pruned.err,
              HasSubstr("sparsity prunes 2 weights that came without masks, so that the run's model computes "
                        "something else than the source's: 'blocks.0.mlp.c_fc', 'blocks.0.mlp.c_proj'"));
  EXPECT_THAT(Import(Path("masked"), "same", {"--config", Path("c.pbtxt")}).err, Not(HasSubstr("prunes")));
}

TEST_F(ImportAppTest, TellsHowToKeepWeightsThatAreSparseAlongRowsAlone) {
  Train("rows", {"--set", "sparsity.algorithm=ROWS"});
  ASSERT_EQ(Export("rows", "masked").code, 0);
  const std::string advice = "They are 2:4 along rows: --set sparsity.algorithm=ROWS keeps them as they are";
  EXPECT_THAT(Import(Path("masked"), "pruned", {"--config", Path("c.pbtxt")}).err, HasSubstr(advice));
  const std::vector<std::string> kept = {"--config", Path("c.pbtxt"), "--set", "sparsity.algorithm=ROWS"};
  EXPECT_THAT(Import(Path("masked"), "kept", kept).err, Not(HasSubstr("prunes")));
}

TEST_F(ImportAppTest, MasksGoWithTheirWeightsThroughAMap) {
  Train("run");
  ASSERT_EQ(Export("run", "dense", {"--format", "dense"}).code, 0);
  std::vector<NamedTensor> theirs;
  for (const NamedTensor& named : Read("dense").tensors) {
    if (!named.name.starts_with("blocks.0.mlp.c_fc.weight")) {
      theirs.push_back({"enc." + named.name, named.tensor});
      continue;
    }
    Tensor turned = Tensor::Empty({64, 64}, named.tensor.dtype());
    const size_t size = SizeOf(named.tensor.dtype());
    for (size_t i = 0; i < 64; ++i) {
      for (size_t j = 0; j < 64; ++j) {
        std::copy_n(named.tensor.raw() + (i * 64 + j) * size, size, turned.mutable_raw() + (j * 64 + i) * size);
      }
    }
    theirs.push_back({"enc." + named.name, turned});
  }
  SaveSafetensors(FileSystem::Default(), dir_ / "theirs", theirs);
  WriteTextFile(dir_ / "map", R"map(
    rule { from: "enc\\.(.*c_fc\\.weight.*)" to: "$1" transpose: true }
    rule { from: "enc\\.(.*)" to: "$1" }
  )map");
  const Outcome outcome = Import(Path("theirs"), "again", {"--config", Path("c.pbtxt"), "--map", Path("map")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const NamedTensor& named : Read("dense").tensors) {
    SCOPED_TRACE(named.name);
    ExpectBitEqual(*Read("again/model.safetensors").Find(named.name), named.tensor);
  }
  WriteTextFile(dir_ / "map", R"map(rule { from: "enc\\.(input\\.bias)" to: "$1" transpose: true })map");
  EXPECT_THAT(Import(Path("theirs"), "x", {"--config", Path("c.pbtxt"), "--map", Path("map")}),
              FailsWith(2, HasSubstr("is to be transposed, but 'input.bias' is no matrix")));
}

TEST_F(ImportAppTest, NamesFromOutsideStayOnOneLine) {
  SaveSafetensors(FileSystem::Default(), dir_ / "f", {{"a\nb\x1b[31m", Tensor::Zeros({1})}});
  Train("run");  // Writes the config.
  EXPECT_THAT(Import(Path("f"), "x", {"--config", Path("c.pbtxt")}),
              FailsWith(2, AllOf(HasSubstr("'a\\x0ab\\x1b[31m'"), Not(HasSubstr("\x1b")))));
}

TEST_F(ImportAppTest, PartOfACheckpointCanBeTaken) {
  EXPECT_THAT(Import(Checkpoint("gpt2"), "run", {"--set", "model.gpt.depth=1"}),
              FailsWith(2, HasSubstr("12 tensors that the model does not have: 'transformer.h.1.attn.c_attn.bias'")));
  const Outcome partial = Import(Checkpoint("gpt2"), "run", {"--set", "model.gpt.depth=1", "--partial"});
  EXPECT_EQ(partial.code, 0) << partial.err;
  EXPECT_THAT(partial.err, HasSubstr("note: 12 tensors are left out"));
}

TEST_F(ImportAppTest, SaysWhatIsWrongWithASource) {
  fs::create_directory(dir_ / "empty");
  EXPECT_THAT(Import(Path("empty"), "x"), FailsWith(2, HasSubstr("holds neither model.safetensors nor")));
  EXPECT_THAT(Import(Path("none"), "x"), FailsWith(2, HasSubstr("none")));
  SaveSafetensors(FileSystem::Default(), dir_ / "empty/model.safetensors", {{"a", Tensor::Zeros({1})}});
  EXPECT_THAT(
      Import(Path("empty"), "x"),
      FailsWith(2, HasSubstr("there is no config.json that describes the model, expected one or --config FILE")));
  WriteTextFile(dir_ / "empty/config.json", R"({"model_type": "bert"})");
  EXPECT_THAT(Import(Path("empty"), "x"),
              FailsWith(2, HasSubstr("config.json: model_type is 'bert', expected gpt2 or llama")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

}  // namespace
}  // namespace twofour::train
