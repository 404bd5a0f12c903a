#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"
#include "tests/train/program/tensorboard/event_reader.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::AppRunner;
using test::EventFileContent;
using test::EventFilesIn;
using test::Outcome;
using test::ReadEventFile;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 6 batch_size: 16 }
sparsity { enabled: true }
evaluation { every_steps: 3 }
checkpoint { every_steps: 2 keep: 10 }
logging { every_steps: 2 histogram_every_steps: 3 }
)";

/// TensorBoard's event files of whole runs of the program.
class TensorBoardAppTest : public AppRunner {
 protected:
  void SetUp() override {
    if (!test::HavePython()) GTEST_SKIP() << "python3, which reads the files, is not installed";
    WriteTextFile(dir_ / "tiny.pbtxt", kConfig);
  }

  Outcome Train(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--config", Path("tiny.pbtxt"), "--out", Path(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  /// The run's only event file.
  EventFileContent OnlyEventFile(const std::string& run) {
    const std::vector<fs::path> found = EventFilesIn(dir_ / run);
    EXPECT_THAT(found, SizeIs(1));
    if (found.size() != 1) return {};
    const EventFileContent content = ReadEventFile(found[0]);
    EXPECT_EQ(content.fault, "");
    return content;
  }
};

TEST_F(TensorBoardAppTest, HoldsWhatMetricsJsonlHolds) {
  ASSERT_EQ(Train("run").code, 0);
  const EventFileContent events = OnlyEventFile("run");
  int compared = 0;
  std::istringstream lines(ReadTextFile(dir_ / "run/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    if (record["split"] == "final") continue;  // It is about the run and is no point of a curve.
    std::string prefix = record["split"].get<std::string>() + "/";
    if (record.contains("layer")) prefix += record["layer"].get<std::string>() + "/";
    for (const auto& [name, value] : record.items()) {
      if (name == "step" || name == "split" || name == "layer") continue;
      int found = 0;
      for (const auto& [step, written] : events.Find(prefix + name)) {
        if (step != record["step"]) continue;
        EXPECT_EQ(written, static_cast<double>(static_cast<float>(value.get<double>()))) << prefix + name;
        ++found;
      }
      EXPECT_EQ(found, 1) << prefix + name << " of step " << record["step"];
      ++compared;
    }
  }
  EXPECT_GT(compared, 60);  // 3 training, 2 evaluation, 6 sparsity, 3 activation records.
}

TEST_F(TensorBoardAppTest, HasHistogramsOfEveryParameterAndGradient) {
  ASSERT_EQ(Train("run").code, 0);
  const EventFileContent events = OnlyEventFile("run");
  const std::map<std::string, int64_t> sizes{{"input.weight", 784 * 16},
                                             {"blocks.0.mlp.c_fc.weight", 16 * 32},
                                             {"blocks.0.mlp.c_proj.weight", 16 * 32},
                                             {"head.bias", 10}};
  for (const auto& [name, size] : sizes) {
    for (const std::string kind : {"weights/", "gradients/"}) {
      const auto found = events.Find(kind + name);
      ASSERT_EQ(found.size(), 2u) << kind + name;
      EXPECT_EQ(found[0].first, 3);
      EXPECT_EQ(found[1].first, 6);
      for (const auto& [step, histogram] : found) EXPECT_EQ(histogram["num"], size) << kind + name;
    }
  }
}

TEST_F(TensorBoardAppTest, IsNotWrittenWhenNotAsked) {
  ASSERT_EQ(Train("run", {"--set", "logging.tensorboard=false"}).code, 0);
  EXPECT_THAT(EventFilesIn(dir_ / "run"), IsEmpty());
}

TEST_F(TensorBoardAppTest, DoesNotChangeTheModel) {
  ASSERT_EQ(Train("with").code, 0);
  ASSERT_EQ(Train("without", {"--set", "logging.tensorboard=false"}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "with/model.safetensors"), ReadTextFile(dir_ / "without/model.safetensors"));
}

TEST_F(TensorBoardAppTest, AResumedRunWritesAFileOfItsOwnThatBeginsAtItsFirstStep) {
  ASSERT_EQ(Train("run").code, 0);
  const std::vector<fs::path> before = EventFilesIn(dir_ / "run");
  ASSERT_EQ(before.size(), 1u);
  const std::string first = ReadTextFile(before[0]);
  // Leaves a torn record, as a kill does.
  WriteTextFile(before[0], first.substr(0, first.size() - 3));
  const Outcome resumed = Run({"--resume", Path("run/checkpoints/step-2"), "--overwrite"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;

  const std::vector<fs::path> after = EventFilesIn(dir_ / "run");
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(ReadTextFile(after[0]), first.substr(0, first.size() - 3));
  const EventFileContent second = ReadEventFile(after[1]);
  EXPECT_EQ(second.fault, "");
  ASSERT_GE(second.events.size(), 2u);
  EXPECT_EQ(second.events[0]["file_version"], "brain.Event:2");
  EXPECT_EQ(second.events[1]["session_log"], (json{{"status", 1}}));
  EXPECT_EQ(second.events[1]["step"], 3);
  const auto losses = second.Find("train/loss");
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_EQ(losses[0].first, 4);
  EXPECT_EQ(losses[1].first, 6);
}

TEST_F(TensorBoardAppTest, ADryRunOfAResumeWritesNone) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_EQ(Run({"--resume", Path("run"), "--dry-run"}).code, 0);
  EXPECT_THAT(EventFilesIn(dir_ / "run"), SizeIs(1));
}

}  // namespace
}  // namespace twofour::train
