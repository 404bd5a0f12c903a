// `trainer sensitivity`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/sensitivity_file.h"
#include "twofour/train/program/prune/sensitivity_log.h"
#include "twofour/train/program/prune/sensitivity_run.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/text_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::SnapshotOf;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kFc = "transformer.h.0.mlp.c_fc";
constexpr const char* kProj = "transformer.h.0.mlp.c_proj";

class SensitivityAppTest : public test::TextRunner {
 protected:
  SensitivityAppTest() : TextRunner("depth: 1 width: 32 heads: 2 sequence_length: 16", 30) {}

  void TrainDense(const std::vector<std::string>& more = {}) {
    const Outcome outcome = TrainOnText("dense", more);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  Outcome Measure(const std::string& out, const std::vector<std::string>& more = {}) {
    return Run(Joined({"sensitivity", "--run", Path("dense"), "--out", Path(out)}, more));
  }
  std::string Log(const std::string& out) { return ReadTextFile(dir_ / out / SensitivityLog::kFile); }
  std::string File(const std::string& out) { return ReadTextFile(dir_ / out / kSensitivityFile); }
  JsonDocument Json(const std::string& path) { return JsonDocument::Parse(ReadTextFile(dir_ / path), path); }

  /// The loss by the linear and the level.
  std::map<std::pair<std::string, double>, double> Losses(const std::string& out) {
    std::map<std::pair<std::string, double>, double> losses;
    const JsonDocument document = Json(out + "/" + kSensitivityFile);
    for (const JsonValue& linear : document.root().Find("linears")->elements()) {
      for (const JsonValue& point : linear.Find("points")->elements()) {
        losses[{linear.Find("name")->string(), point.Find("level")->number()}] = point.Find("loss")->number();
      }
    }
    return losses;
  }
  double LossOf(const std::string& run) {
    const Outcome outcome = Run({"evaluate", "--run", Path(run), "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto json = JsonDocument::TryParse(outcome.out);
    return json ? json->root().Find("loss")->number() : std::nan("");
  }
};

/// Each loss is that of a run which `trainer prune` makes with this linear alone pruned.
TEST_F(SensitivityAppTest, LossesAreThoseOfPrunedRuns) {
  TrainDense();
  struct Case {
    std::string method, kind;
    std::map<std::string, double> levels;  // By the pattern that prune takes.
  };
  const std::vector<Case> cases = {
      {"magnitude", "unstructured", {{"unstructured:0.25", 0.25}, {"unstructured:0.75", 0.75}}},
      {"wanda", "unstructured:row", {{"unstructured:0.6:row", 0.6}}},
      {"sparsegpt", "n:4", {{"3:4", 0.25}, {"2:4", 0.5}, {"1:4", 0.75}}},
      {"alps", "transposable:2:4", {{"transposable:2:4", 0.5}}},
      {"dsnot", "2:3", {{"1:3", 1 - 1.0 / 3}}},
      {"gblm", "block:4x4", {{"block:4x4:0.5", 0.5}}},
      {"random", "16:2:8", {{"16:2:8", 0.75}}}};
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto& [method, kind, levels] = cases[i];
    SCOPED_TRACE(method + " " + kind);
    std::string list;
    for (const auto& [pattern, level] : levels) list += (list.empty() ? "" : ",") + std::to_string(level);
    const std::string out = "s" + std::to_string(i);
    std::vector<std::string> common = {"--method", method};
    if (method != "magnitude") common = Joined(common, {"--seed", "3"});
    if (method != "magnitude" && method != "random") common = Joined(common, {"--samples", "16"});
    const Outcome outcome =
        Measure(out, Joined(common, {"--pattern", kind, "--levels", list, "--include", ".*mlp.*|.*attn.c_proj"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto losses = Losses(out);
    EXPECT_EQ(losses.size(), 3 * levels.size());
    for (const std::string linear : {kFc, kProj}) {
      for (const auto& [pattern, level] : levels) {
        SCOPED_TRACE(linear + " " + pattern);
        const Outcome pruned = Run(Joined({"prune", "--run", Path("dense"), "--out", Path("pruned"), "--overwrite",
                                           "--include", linear, "--pattern", pattern},
                                          common));
        ASSERT_EQ(pruned.code, 0) << pruned.err;
        const JsonDocument report = Json("pruned/pruning.json");
        const auto found = losses.find({linear, level});
        ASSERT_NE(found, losses.end());
        // A run that is loaded multiplies with what its masks keep, in another order than a dense weight.
        EXPECT_NEAR(found->second, report.root().Find("loss_after")->number(), 1e-6);
        EXPECT_EQ(report.root().Find("loss_after")->number(), LossOf("pruned"));
      }
    }
    EXPECT_EQ(Json(out + "/sensitivity.json").root().Find("dense_loss")->number(), LossOf("dense"));
  }
}

TEST_F(SensitivityAppTest, LeavesTheRunAloneAndSaysWhatItFound) {
  TrainDense();
  const auto before = SnapshotOf(dir_ / "dense");
  const Outcome outcome = Measure("s");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(SnapshotOf(dir_ / "dense"), before);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("linear"), HasSubstr(kFc), HasSubstr("[128, 32]"), HasSubstr("0.75"),
                                 HasSubstr("loss with none pruned: ")));
  EXPECT_LT(outcome.out.find(kFc), outcome.out.find(kProj));
  EXPECT_THAT(ReadTextFile(dir_ / "s/sensitivity.html"), AllOf(HasSubstr("<svg"), HasSubstr(kProj)));
  const SensitivityCurves curves = LoadSensitivity(FileSystem::Default(), dir_ / "s/sensitivity.json");
  EXPECT_EQ(curves.method, "magnitude");
  EXPECT_EQ(curves.curves[0].size(), 3u);
  // It prunes the linears that the run's recipe names, as prune does.
  EXPECT_THAT(curves.layers, ::testing::Each(::testing::Field(&sparse::LayerShape::name, HasSubstr("mlp"))));
  // A second start measures nothing and prints the same; --json prints the file.
  const auto results = SnapshotOf(dir_ / "s");
  EXPECT_EQ(Measure("s").out, outcome.out);
  EXPECT_EQ(Measure("s/", {"--json"}).out, File("s"));
  // The same run by another name is the same run.
  fs::create_directory_symlink(dir_ / "dense", dir_ / "link");
  EXPECT_EQ(Run({"sensitivity", "--run", Path("link"), "--out", Path("s")}).out, outcome.out);
  EXPECT_EQ(SnapshotOf(dir_ / "s"), results);
}

TEST_F(SensitivityAppTest, MeasuresACheckpoint) {
  TrainDense({"--set", "checkpoint.every_steps=10"});
  const Outcome by_name = Measure("s", {"--checkpoint", "20"});
  ASSERT_EQ(by_name.code, 0) << by_name.err;
  EXPECT_EQ(Run({"sensitivity", "--run", Path("dense/checkpoints/step-20"), "--out", Path("s")}).out, by_name.out);
  EXPECT_THAT(Measure("s"), FailsWith(2, HasSubstr("another measurement: weights was ")));
}

TEST_F(SensitivityAppTest, ThreadsDoNotChangeABit) {
  TrainDense();
  const std::vector<std::string> method = {"--method", "sparsegpt", "--pattern", "2:4", "--include", ".*"};
  ASSERT_EQ(Measure("one", Joined(method, {"--threads", "1"})).code, 0);
  ASSERT_EQ(Measure("two", Joined(method, {"--threads", "2"})).code, 0);
  EXPECT_EQ(Log("one"), Log("two"));
  EXPECT_EQ(File("one"), File("two"));
}

/// Stopped after each loss, by a signal or by a kill that tears the line.
TEST_F(SensitivityAppTest, GoesOnWhereItStopped) {
  TrainDense();
  const std::vector<std::string> method = {"--method", "gblm", "--levels", "0.3,0.8"};
  ASSERT_EQ(Measure("whole", method).code, 0);
  stop_.signal = SIGTERM;
  stop_.stop = true;
  const Outcome stopped = Measure("part", method);
  EXPECT_EQ(stopped.code, 128 + SIGTERM);
  EXPECT_THAT(stopped.out, HasSubstr("stopped with 0 of 4 losses measured; the same command goes on"));
  EXPECT_FALSE(fs::exists(dir_ / "part/sensitivity.json"));
  stop_.stop = false;
  SensitivityRequest request{.run = Path("dense"), .out = Path("part")};
  request.kind = ParsePatternKind("unstructured", "");
  request.patterns = PatternsAt(request.kind, std::vector{0.3, 0.8}, "");
  request.options.score = sparse::MaskScore::kGblm;
  request.samples = 128;
  for (size_t losses = 1; losses < 4; ++losses) {
    std::atomic<bool> stop = false;
    const SensitivityProgress progress = MeasureSensitivity(request, stop, [&stop] { stop = true; });
    EXPECT_FALSE(progress.result);
    EXPECT_EQ(progress.measured, losses);
    EXPECT_EQ(progress.losses, 4u);
  }
  ASSERT_EQ(Measure("part", method).code, 0);
  EXPECT_EQ(Log("part"), Log("whole"));
  EXPECT_EQ(File("part"), File("whole"));
  const std::string whole = Log("whole");
  for (size_t size = whole.size() - 1; size > 0; size -= std::min<size_t>(size, 97)) {
    WriteTextFile(dir_ / "part/sensitivity.jsonl", whole.substr(0, size));
    fs::remove(dir_ / "part/sensitivity.json");
    ASSERT_EQ(Measure("part", method).code, 0);
    ASSERT_EQ(Log("part"), whole) << size;
    ASSERT_EQ(File("part"), File("whole")) << size;
  }
}

TEST_F(SensitivityAppTest, RefusesToGoOnWithOtherArguments) {
  TrainDense();
  const std::vector<std::string> method = {"--method", "wanda"};
  ASSERT_EQ(Measure("s", method).code, 0);
  const auto before = SnapshotOf(dir_ / "s");
  const auto refuses = [&](const std::vector<std::string>& arguments, const std::string& message) {
    const Outcome outcome = Measure("s", arguments);
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr("holds losses of another measurement: " + message)));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_EQ(SnapshotOf(dir_ / "s"), before);
  };
  refuses({"--method", "ria"}, "method was \"wanda\", and is now \"ria\"");
  refuses({"--method", "wanda", "--levels", "0.5"}, "levels was [0.25,0.5,0.75], and is now [0.5]");
  refuses({"--method", "wanda", "--pattern", "2:4"}, "pattern was \"unstructured\", and is now \"n:4\"");
  refuses({"--method", "wanda", "--seed", "1"}, "seed was 0, and is now 1");
  refuses({"--method", "wanda", "--samples", "4"}, "samples was 128, and is now 4");
  refuses({"--method", "wanda", "--include", ".*c_fc"}, "include was ");
  // As many samples as fill the same batches are the same.
  EXPECT_EQ(Measure("s", {"--method", "wanda", "--samples", "126"}).code, 0);
  // Other weights, and other data.
  ASSERT_EQ(Run({"--resume", Path("dense"), "--set", "training.steps=33"}).code, 0);
  refuses(method, "weights_checksum was ");
  ASSERT_EQ(Measure("t", method).code, 0);
  WriteTextFile(dir_ / "text.txt", Text(601));
  EXPECT_THAT(Measure("t", method), FailsWith(2, HasSubstr("the data is not what the run began with")));
  EXPECT_THAT(Measure("t", Joined(method, {"--accept-changed-data"})),
              FailsWith(2, HasSubstr("another measurement: data was ")));
}

TEST_F(SensitivityAppTest, OfASparseRunLevelsBelowItsOwnAreNone) {
  TrainDense();
  ASSERT_EQ(Run({"prune", "--run", Path("dense"), "--out", Path("sparse"), "--method", "magnitude", "--pattern",
                 "unstructured:0.6"})
                .code,
            0);
  const Outcome outcome = Run({"sensitivity", "--run", Path("sparse"), "--out", Path("s"), "--levels", "0.25,0.75"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("+0.0000 (0.60)"));
}

TEST_F(SensitivityAppTest, SaysWhatIsWrongAndWritesNothing) {
  TrainDense();
  const auto refuses = [&](const std::vector<std::string>& arguments, const std::string& message) {
    const Outcome outcome = Measure("out", arguments);
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  };
  refuses({"--method", "best"}, "--method: 'best', expected sparsegpt, alps, dsnot, or a score alone: magnitude");
  refuses({"--pattern", "half"}, "--pattern: 'half', expected a pattern without its sparsity");
  refuses({"--pattern", "unstructured:0.5"}, "--pattern: 'unstructured:0.5', expected a pattern without");
  refuses({"--pattern", "5:4"}, "--pattern: pattern 5:4: n is 5, expected 1 to 3");
  refuses({"--levels", "0.5,1"}, "--levels: 1, expected sparsities above 0 and below 1");
  refuses({"--levels", "0"}, "--levels: 0, expected sparsities above 0");
  refuses({"--levels", "0.5,0.5"}, "--levels: 0.5 is there twice");
  refuses({"--levels", "0.5,x"}, "--levels");
  refuses({"--pattern", "2:4", "--levels", "0.3"}, "--levels: 0.3, expected one of 0.25, 0.5, 0.75 with n:4");
  refuses({"--method", "dsnot", "--pattern", "64:2:8"}, "DSnoT exchanges weights of one row");
  refuses({"--method", "wanda", "--samples", "100000"}, "--samples: 100000, expected at most");
  refuses({"--samples", "16"}, "--samples: goes with a --method that takes data");
  refuses({"--seed", "1"}, "--seed: goes with a --method that takes data");
  refuses({"--include", "("}, "--include: '(', expected a regular expression");
  refuses({"--include", "none"}, "linears is to be pruned");
  refuses({"--checkpoint", "step-7"}, "step-7");
  fs::create_directory(dir_ / "full");
  WriteTextFile(dir_ / "full/notes", "");
  EXPECT_THAT(Measure("full"), FailsWith(2, HasSubstr("holds something, but no sensitivity.jsonl")));
  EXPECT_THAT(Measure("dense"), FailsWith(2, HasSubstr("holds something, but no sensitivity.jsonl")));
  EXPECT_THAT(Measure("text.txt"), FailsWith(2, HasSubstr("no folder")));
  for (const std::string file : {"metrics.jsonl", "vocabulary.json/", "permutation.safetensors", "checkpoints"}) {
    EXPECT_THAT(Measure("dense/" + file), FailsWith(2, HasSubstr("is a file of the run")));
  }
  EXPECT_EQ(Measure("dense/sensitivity").code, 0);
  ASSERT_EQ(Run({"import", "--from", Path("dense/model.safetensors"), "--config", Path("gpt.pbtxt"), "--out",
                 Path("bare"), "--set", "model.gpt.vocab_size=12", "--set", "data={}"})
                .code,
            0);
  EXPECT_THAT(Run({"sensitivity", "--run", Path("bare"), "--out", Path("out")}),
              FailsWith(2, HasSubstr("the run has no data, expected one with data to find losses on")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(SensitivityAppTest, ARunThatIsSparseIsComparedWithItself) {
  TrainDense();
  ASSERT_EQ(
      Run({"prune", "--run", Path("dense"), "--out", Path("half"), "--pattern", "2:4", "--method", "magnitude"}).code,
      0);
  const Outcome outcome = Run({"sensitivity", "--run", Path("half"), "--out", Path("s"), "--levels", "0.5,0.8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the run is sparse already"));
  const double dense = Json("s/sensitivity.json").root().Find("dense_loss")->number();
  EXPECT_NEAR(dense, LossOf("half"), 1e-5);
  for (const auto& [place, loss] : Losses("s")) {
    // The masks of 2:4 drop as much as half, and more than that is more.
    EXPECT_EQ(loss == dense, place.second == 0.5) << place.first;
  }
}

}  // namespace
}  // namespace twofour::train
