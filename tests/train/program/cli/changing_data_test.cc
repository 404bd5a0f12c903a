// Data that becomes shorter, changes or vanishes while a run reads it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/sanitized.h"
#include "tests/train/program/cli/program_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class ChangingDataTest : public test::ProgramRunner {
 protected:
  ChangingDataTest() {
    WriteTextFile(dir_ / "tiny.pbtxt", R"(
      model { gpt { depth: 1 width: 16 heads: 2 sequence_length: 8 } }
      training { steps: 60 batch_size: 4 tokens_per_step: )" +
                                           std::string(test::kSanitized ? "64" : "640") + R"( }
      evaluation { every_steps: 10 max_batches: )" +
                                           std::string(test::kSanitized ? "50" : "0") + R"( }
      checkpoint { every_steps: 1000 save_best: false }
      logging { every_steps: 1 tensorboard: false }
      threads: 1
    )");
    for (int i = 0; i < 4000; ++i) text_ += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text_);
    std::string ids;
    for (int i = 0; i < 60000; ++i) ids += {static_cast<char>(i % 50), '\0'};
    WriteTextFile(dir_ / "ids", ids);
  }

  /// Trains on the data that `data` names, changes it after the first step, and returns the exit code.
  template <typename Change>
  int TrainWhile(const std::string& data, const Change& change) {
    fs::remove_all(dir_ / "run");
    const auto process = StartTraining("run", {"--set", data});
    const auto trains = [&] { return !ReadTextFile(dir_ / "run/metrics.jsonl").empty(); };
    if (!Await([&] { return trains() || process->ExitCode(); }) || !trains()) return -1;
    change();
    return End(*process);
  }
  /// The same with a change that ends the run. Tries again if the run is done before the change, which happens on a
  /// busy machine.
  template <typename Change>
  int TrainUntil(const std::string& data, const std::string& file, const Change& change) {
    const std::string contents = ReadTextFile(dir_ / file);
    for (int attempt = 0; attempt < 10; ++attempt) {
      const int code = TrainWhile(data, change);
      if (code != 0) return code;
      WriteTextFile(dir_ / file, contents);
    }
    return 0;
  }

  /// Resumes the run to its end, which must give the same files as the run `whole`.
  void ExpectToGoOnAs(const std::string& whole) {
    EXPECT_EQ(End(*Start({"--resume", Path("run")})), 0) << Log();
    for (const char* file : {"model.safetensors", "checkpoints/last/optimizer.safetensors"}) {
      EXPECT_EQ(ReadTextFile(dir_ / "run" / file), ReadTextFile(dir_ / whole / file)) << file;
    }
  }

  std::string text_;
};

TEST_F(ChangingDataTest, AFileThatBecomesShorterEndsTheRunWithACheckpoint) {
  for (const std::string kind : {"text", "tokens"}) {
    SCOPED_TRACE(kind);
    const std::string file = kind == "text" ? "text" : "ids", data = "data." + kind + ".path=" + Path(file);
    ASSERT_EQ(End(*StartTraining("whole-" + kind, {"--set", data})), 0) << Log();
    const std::string contents = ReadTextFile(dir_ / file);
    EXPECT_EQ(TrainUntil(data, file, [&] { fs::resize_file(dir_ / file, 5000); }), 1);
    const std::string log = Log();
    EXPECT_THAT(log.substr(log.find("trainer: step")),
                MatchesRegex("trainer: step [0-9]+: cannot read " + Path(file) +
                             ": it has become shorter while it was being read: 5000 bytes, expected " +
                             std::to_string(contents.size()) + "; the last checkpoint is " + Path("run") +
                             "/checkpoints/step-[0-9]+\n"));
    WriteTextFile(dir_ / file, contents);
    ExpectToGoOnAs("whole-" + kind);
  }
}

TEST_F(ChangingDataTest, AFileThatIsWrittenToEndsTheRunWithACheckpoint) {
  const std::string data = "data.text.path=" + Path("text");
  ASSERT_EQ(End(*StartTraining("whole", {"--set", data})), 0) << Log();
  EXPECT_EQ(TrainUntil(data, "text",
                       [&] {
                         std::fstream file(dir_ / "text", std::ios::binary | std::ios::in | std::ios::out);
                         file.seekp(10000);
                         file << "That is not the question.";
                       }),
            1);
  EXPECT_THAT(Log(), AllOf(HasSubstr("its contents were changed after it had been opened"),
                           HasSubstr("the last checkpoint is " + Path("run/checkpoints/step-"))));
  WriteTextFile(dir_ / "text", text_);
  ExpectToGoOnAs("whole");
}

TEST_F(ChangingDataTest, AFileThatIsRemovedReplacedOrTouchedDoesNoHarm) {
  const std::string data = "data.text.path=" + Path("text");
  ASSERT_EQ(End(*StartTraining("whole", {"--set", data})), 0) << Log();
  const auto replace = [&] {
    fs::last_write_time(dir_ / "text", fs::file_time_type::clock::now());
    fs::rename(dir_ / "text", dir_ / "old");
    WriteTextFile(dir_ / "text", "Another text.");
    fs::remove(dir_ / "old");
  };
  EXPECT_EQ(TrainWhile(data, replace), 0) << Log();
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
}

TEST_F(ChangingDataTest, DataThatIsHeldInMemoryMayGo) {
  const std::vector<std::string> set = {"--set", "data.text.path=" + Path("text"), "--set",
                                        "data.text.vocabulary=CHARACTERS"};
  ASSERT_EQ(End(*StartTraining("whole", set)), 0) << Log();
  const auto process = StartTraining("run", set);
  ASSERT_TRUE(AwaitTraining(*process, "run")) << Log();
  fs::resize_file(dir_ / "text", 10);
  EXPECT_EQ(End(*process), 0) << Log();
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
}

}  // namespace
}  // namespace twofour::train
