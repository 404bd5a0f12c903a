// V:N:M weights in packed files: export, inspection, import and sampling.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class VnmExportAppTest : public test::AppRunner {
 protected:
  /// Trains a language model whose MLPs are 16:2:8, and exports it.
  void Train(std::vector<std::string> more = {}) {
    WriteTextFile(dir_ / "c.pbtxt", R"(
      model { gpt { depth: 2 width: 32 heads: 2 sequence_length: 16 } }
      training { steps: 6 batch_size: 4 }
      checkpoint { every_steps: 3 }
      logging { tensorboard: false }
      sparsity { enabled: true algorithm: VNM vnm { v: 16 m: 8 } }
    )");
    std::string text;
    for (int i = 0; i < 60; ++i) text += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text);
    std::vector<std::string> arguments{"--config",  Path("c.pbtxt"), "--out",
                                       Path("run"), "--set",         "data.text.path=" + Path("text")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  Outcome Export(const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"export", "--run", Path("run"), "-o", Path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  /// Continues a prompt, with the weights of the run or of an exported file.
  Outcome Sample(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"sample", "--run", Path("run"), "--prompt", "To be", "--tokens", "30"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  SafetensorsFile Read(const std::string& name) { return LoadSafetensors(FileSystem::Default(), dir_ / name); }
  void Write(const std::string& name, const SafetensorsFile& file) {
    SaveSafetensors(FileSystem::Default(), dir_ / name, file.tensors, file.metadata);
  }
};

constexpr const char* kStem = "transformer.h.0.mlp.c_fc.weight";

TEST_F(VnmExportAppTest, APackedFileIsInspectedAndImportedAsTheMaskedWeights) {
  Train();
  ASSERT_EQ(Export("masked").code, 0);
  const Outcome exported = Export("packed", {"--format", "packed", "--dtype", "BF16"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_THAT(exported.out, HasSubstr("4 masked weights packed-vnm"));
  EXPECT_EQ(Read("packed").Find(std::string(kStem) + "_vnm_columns")->shape(), (Shape{8, 4, 4}));
  EXPECT_EQ(Read("packed").Find(kStem), nullptr);

  // With 16 rows in a block: 4 bytes of values, half a byte of positions and a quarter of columns for 16 dense bytes.
  EXPECT_THAT(
      Run({"inspect", Path("packed")}).out,
      ContainsRegex("mlp.c_fc.weight\" +BF16 +\\[128, 32\\] +sparsity 0.7500 \\(packed-vnm 16:2:8, 0.302 of its "
                    "dense bytes\\)  2:4 and 2:8 along rows; 2:4 along columns"));
  EXPECT_THAT(Run({"inspect", Path("packed"), "--json"}).out,
              HasSubstr("\"form\":\"packed-vnm\",\"pattern\":\"16:2:8\",\"share_of_dense_bytes\":0.30"));

  const Outcome imported = Run({"import", "--from", Path("packed"), "--config", Path("c.pbtxt"), "--out",
                                Path("imported"), "--set", "data.text.path=" + Path("text")});
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(imported.err, Not(HasSubstr("prunes")));
  const SafetensorsFile masked = Read("masked"), back = Read("imported/model.safetensors");
  for (const NamedTensor& named : masked.tensors) {
    SCOPED_TRACE(named.name);
    ExpectBitEqual(*back.Find(named.name), named.tensor.To(DType::kBF16).To(DType::kF32));
  }
}

TEST_F(VnmExportAppTest, SamplesFromTheFileAreThoseOfTheRun) {
  for (const std::string precision : {"FP32", "BF16"}) {
    SCOPED_TRACE(precision);
    Train({"--set", "training.precision=" + precision, "--overwrite"});
    const Outcome of_run = Sample();
    ASSERT_EQ(of_run.code, 0) << of_run.err;
    EXPECT_THAT(of_run.err, HasSubstr("packed, weights from " + Path("run/model.safetensors")));
    for (const std::string format : {"packed", "masked", "dense", "sparse24-bitmask"}) {
      SCOPED_TRACE(format);
      ASSERT_EQ(Export(precision + format, {"--format", format}).code, 0);
      const Outcome of_file = Sample({"--weights", Path(precision + format)});
      EXPECT_EQ(of_file.code, 0) << of_file.err;
      EXPECT_EQ(of_file.out, of_run.out);
      EXPECT_THAT(of_file.err, HasSubstr("packed, weights from " + Path(precision + format)));
    }
  }
  // Long prompts, whose products unpack parts of the weights.
  const std::vector<std::string> prompt = {"--prompt", "To be, or not to be: that is the question.\n"};
  std::vector<std::string> with = prompt;
  with.insert(with.end(), {"--weights", Path("BF16packed")});
  EXPECT_EQ(Sample(with).out, Sample(prompt).out);
  // A file needs no weights in the run.
  std::filesystem::remove(dir_ / "run/model.safetensors");
  std::filesystem::remove_all(dir_ / "run/checkpoints");
  EXPECT_THAT(Sample(), FailsWith(2, HasSubstr("has no weights yet")));
  EXPECT_EQ(Sample({"--weights", Path("BF16packed")}).code, 0);
}

TEST_F(VnmExportAppTest, WeightsWithoutMasksArePackedOnRequest) {
  Train({"--dense"});
  SafetensorsFile model = Read("run/model.safetensors");
  for (NamedTensor& named : model.tensors) {
    if (named.name != kStem) continue;
    named.tensor = sparse::ApplyMask(named.tensor, sparse::FindVnmMask(named.tensor, {.v = 32, .m = 6}));
  }
  Write("run/model.safetensors", model);
  const Outcome packed = Export("packed", {"--format", "packed", "--pattern", "32:2:6"});
  ASSERT_EQ(packed.code, 0) << packed.err;
  EXPECT_THAT(packed.out, HasSubstr("1 masked weights packed-vnm"));
  EXPECT_EQ(Sample({"--weights", Path("packed")}).out, Sample().out);
  EXPECT_THAT(Export("x", {"--format", "packed", "--pattern", "32:2:7"}),
              FailsWith(2, HasSubstr("no weight is masked or has zeros in the pattern 32:2:7")));
}

TEST_F(VnmExportAppTest, FilesThatDoNotFitAreRefused) {
  Train();
  ASSERT_EQ(Export("packed", {"--format", "packed"}).code, 0);
  const std::string weight = "f: tensor '" + std::string(kStem) + "'";
  const auto sample = [&](auto change) {
    SafetensorsFile file = Read("packed");
    change(file.tensors);
    Write("f", file);
    return Sample({"--weights", Path("f")});
  };
  const auto find = [](auto& tensors, const std::string& name) -> Tensor& {
    for (NamedTensor& named : tensors) {
      if (named.name == name) return named.tensor;
    }
    throw Error("no tensor " + name);
  };
  const auto leave_block = [&](auto& tensors) {
    find(tensors, std::string(kStem) + "_vnm_columns").template mutable_data<uint8_t>()[4 * 5 + 3] = 9;
  };
  const auto message = AllOf(HasSubstr(weight + ": rows 16 to 31, columns 8 to 15: keeps columns "),
                             HasSubstr(", 9 of the block, expected four that ascend from 0 to 7"));
  EXPECT_THAT(sample(leave_block), FailsWith(2, message));
  EXPECT_THAT(Run({"import", "--from", Path("f"), "--config", Path("c.pbtxt"), "--out", Path("x"), "--set",
                   "data.text.path=" + Path("text")}),
              FailsWith(2, message));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "x"));
  EXPECT_THAT(sample([&](auto& tensors) {
                find(tensors, std::string(kStem) + "_vnm_positions").template mutable_data<uint8_t>()[0] = 0x43;
              }),
              FailsWith(2, HasSubstr(weight + ": row 0: columns 0 to 7: positions 3 and 0, expected two that ascend")));
  const auto missing = [&](const std::string& name) {
    return sample(
        [&](auto& tensors) { std::erase_if(tensors, [&](const NamedTensor& named) { return named.name == name; }); });
  };
  EXPECT_THAT(missing(std::string(kStem) + "_vnm_columns"), FailsWith(2, HasSubstr(weight + " is packed-vnm, but '")));
  EXPECT_THAT(missing("transformer.h.1.attn.c_proj.weight"),
              FailsWith(2, HasSubstr("tensor 'transformer.h.1.attn.c_proj.weight': missing")));
  EXPECT_THAT(sample([&](auto& tensors) {
                for (NamedTensor& named : tensors) {
                  if (const size_t at = named.name.find("c_fc"); at != std::string::npos) {
                    named.name.replace(at, 4, "c_up");
                  }
                }
              }),
              FailsWith(2, HasSubstr("f: tensor 'transformer.h.0.mlp.c_up.weight': the model has no such linear")));
  EXPECT_THAT(Sample({"--weights", Path("none")}), FailsWith(2, HasSubstr(Path("none"))));
  EXPECT_THAT(Sample({"--weights", Path("packed"), "--checkpoint", "3"}),
              FailsWith(2, HasSubstr("--weights " + Path("packed") +
                                     ": names weights already, expected no "
                                     "--checkpoint")));
}

}  // namespace
}  // namespace twofour::train
