// What `trainer evaluate` measures is what training measured, to the last bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/table_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::SnapshotOf;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EvaluateAppTest : public test::TableRunner {
 protected:
  Outcome Evaluate(const std::string& run, const std::vector<std::string>& more = {}) {
    return Run(Joined({"evaluate", "--run", Path(run)}, more));
  }

  json EvaluateJson(const std::string& run, std::vector<std::string> more = {}) {
    more.emplace_back("--json");
    const Outcome outcome = Evaluate(run, more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? json::parse(outcome.out) : json::object();
  }

  /// The record of the run's evaluation after `step`, or of the last one.
  json Recorded(const std::string& run, int step = -1) {
    json found;
    std::istringstream lines(ReadTextFile(dir_ / run / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const json record = json::parse(line);
      if (record["split"] == "eval" && (step < 0 || record["step"] == step)) found = record;
    }
    return found;
  }

  void ExpectSame(const json& now, const json& then) {
    ASSERT_TRUE(then.is_object());
    EXPECT_EQ(now["step"], then["step"]);
    for (const char* name : {"loss", "accuracy", "perplexity", "bits_per_byte"}) {
      EXPECT_EQ(now.contains(name), then.contains(name)) << name;
      if (!then.contains(name)) continue;
      EXPECT_EQ(now[name].get<double>(), then[name].get<double>()) << name;
    }
  }
};

class EvaluateRecipesTest : public EvaluateAppTest, public ::testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(EvaluateRecipesTest, EqualsTrainingsLastEvaluationAndThoseOfItsCheckpoints) {
  const Outcome trained = Train("run", GetParam());
  ASSERT_EQ(trained.code, 0) << trained.err;
  ExpectSame(EvaluateJson("run"), Recorded("run"));
  ExpectSame(EvaluateJson("run", {"--checkpoint", "20"}), Recorded("run", 20));
  ExpectSame(EvaluateJson("run/checkpoints/step-10"), Recorded("run", 10));
  ExpectSame(EvaluateJson("run", {"--checkpoint", "last"}), Recorded("run", 30));
}

INSTANTIATE_TEST_SUITE_P(
    Recipes, EvaluateRecipesTest,
    ::testing::Values(std::vector<std::string>{}, std::vector<std::string>{"sparsity.enabled=true"},
                      std::vector<std::string>{"sparsity.enabled=true", "training.precision=BF16"},
                      std::vector<std::string>{"training.precision=BF16"},
                      std::vector<std::string>{"sparsity={ enabled: true interval: 7 }"},
                      std::vector<std::string>{"sparsity={ enabled: true interval_growth: 0.1 }"},
                      std::vector<std::string>{"sparsity={ enabled: true freeze { step: 12 } }"},
                      std::vector<std::string>{"sparsity={ enabled: true dense_finish: 0.3 }"},
                      std::vector<std::string>{"sparsity={ enabled: true algorithm: ROWS soft_threshold: true }"},
                      std::vector<std::string>{"sparsity={ enabled: true target: ACTIVATION }"},
                      std::vector<std::string>{"sparsity={ enabled: true apply: false }"},
                      std::vector<std::string>{
                          "sparsity={ enabled: true schedule { shape: LINEAR end { step: 25 } to: 0.7 } }"}));

TEST_F(EvaluateAppTest, PrunedWeightsGiveTheSame) {
  for (const char* recipe : {"{ enabled: true }", "{ enabled: true dense_finish: 0.3 }"}) {
    const Outcome trained =
        Train("pruned", {std::string("sparsity=") + recipe, "checkpoint.save_pruned=true"}, {"--overwrite"});
    ASSERT_EQ(trained.code, 0) << trained.err;
    ExpectSame(EvaluateJson("pruned"), Recorded("pruned"));
  }
}

TEST_F(EvaluateAppTest, RetrainedAndBestWeights) {
  ASSERT_EQ(Train("dense").code, 0);
  const Outcome retrained = Run({"retrain", "--from", Path("dense"), "--out", Path("retrained")});
  ASSERT_EQ(retrained.code, 0) << retrained.err;
  ExpectSame(EvaluateJson("retrained"), Recorded("retrained"));
  ASSERT_EQ(Train("best", {"checkpoint.final=BEST", "learning_rate.lr=0.3"}).code, 0);
  const json best = EvaluateJson("best");
  ExpectSame(best, Recorded("best", best["step"]));
  ExpectSame(EvaluateJson("best", {"--checkpoint", "best"}), Recorded("best", best["step"]));
}

TEST_F(EvaluateAppTest, WeightsOfClassesLeaveEvaluationsAlone) {
  ASSERT_EQ(Train("run", {"training.class_weights=BALANCED", "training.label_smoothing=0.1"}).code, 0);
  ExpectSame(EvaluateJson("run"), Recorded("run"));
  // The training loss is another one, and steps tell the accuracy.
  ASSERT_EQ(Train("plain").code, 0);
  const auto first_step = [&](const char* run) {
    std::istringstream lines(ReadTextFile(dir_ / run / "metrics.jsonl"));
    std::string line;
    while (std::getline(lines, line) && json::parse(line)["split"] != "train") {
    }
    return json::parse(line);
  };
  EXPECT_NE(first_step("run")["loss"], first_step("plain")["loss"]);
  const double accuracy = first_step("run")["accuracy"];
  EXPECT_EQ(accuracy * 32, std::round(accuracy * 32));  // Of a batch of 32.
}

TEST_F(EvaluateAppTest, CountsClasses) {
  ASSERT_EQ(Train("run", {"sparsity.enabled=true"}).code, 0);
  const json report = EvaluateJson("run");
  int64_t samples = 0, correct = 0;
  std::vector<int64_t> predicted(3);
  for (size_t c = 0; c < 3; ++c) {
    const json& entry = report["classes"][c];
    int64_t in_row = 0;
    for (size_t p = 0; p < 3; ++p) {
      const int64_t count = entry["predicted"][p];
      in_row += count;
      predicted[p] += count;
      if (p == c) correct += count;
    }
    EXPECT_EQ(in_row, entry["samples"]);
    samples += in_row;
  }
  EXPECT_EQ(samples, report["samples"]);
  EXPECT_EQ(samples, 60);
  EXPECT_EQ(report["accuracy"].get<double>(), static_cast<double>(correct) / 60);
  for (size_t c = 0; c < 3; ++c) {
    const json& entry = report["classes"][c];
    if (predicted[c] == 0) continue;
    EXPECT_DOUBLE_EQ(entry["precision"],
                     static_cast<double>(entry["predicted"][c]) / static_cast<double>(predicted[c]));
  }
  const Outcome lines = Evaluate("run");
  EXPECT_THAT(lines.out, AllOf(HasSubstr("weights: " + Path("run/model.safetensors") + ", after step 30\n"),
                               HasSubstr("samples: 60\n"), HasSubstr("class (rows) taken for (columns)\n"),
                               HasSubstr("\"hi,gh\"")));
}

TEST_F(EvaluateAppTest, OtherFilesAreEvaluatedWhole) {
  ASSERT_EQ(Train("run", {"data.csv.eval_path=" + Path("other.csv")}).code, 2);  // No such file yet.
  WriteTextFile(dir_ / "other.csv", Table(1000, 50));
  ASSERT_EQ(Train("run", {"data.csv.eval_path=" + Path("other.csv")}).code, 0);
  const json own = EvaluateJson("run"), other = EvaluateJson("run", {"--data", Path("other.csv")});
  EXPECT_EQ(own["samples"], 50);
  ExpectSame(other, own);
  EXPECT_EQ(other["classes"], own["classes"]);
  EXPECT_EQ(EvaluateJson("run", {"--data", Path("t.csv")})["samples"], 200);
}

TEST_F(EvaluateAppTest, NothingIsWrittenAndThreadsChangeNothing) {
  ASSERT_EQ(Train("run", {"sparsity.enabled=true"}).code, 0);
  const auto before = SnapshotOf(dir_.path());
  const Outcome one = Evaluate("run", {"--threads", "1"}), three = Evaluate("run", {"--threads", "3"});
  EXPECT_EQ(one.out, three.out);
  EXPECT_EQ(SnapshotOf(dir_.path()), before);
}

TEST_F(EvaluateAppTest, ThePrecisionMayBeAnother) {
  ASSERT_EQ(Train("run").code, 0);
  const double fp32 = EvaluateJson("run")["loss"], bf16 = EvaluateJson("run", {"--precision", "bf16"})["loss"];
  EXPECT_NE(fp32, bf16);
  EXPECT_NEAR(fp32, bf16, 0.02);
  EXPECT_THAT(Evaluate("run", {"--precision", "fp64"}), FailsWith(2, HasSubstr("expected fp32 or bf16")));
}

TEST_F(EvaluateAppTest, SaysWhatIsWrong) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_THAT(Evaluate("none"), FailsWith(2, HasSubstr("neither a run's folder")));
  EXPECT_THAT(Evaluate("run", {"--checkpoint", "step-7"}),
              FailsWith(2, HasSubstr("no such checkpoint, expected one of: best, last, step-10, step-20, step-30")));
  EXPECT_THAT(Evaluate("run", {"--checkpoint", "../checkpoints/step-10"}),
              FailsWith(2, HasSubstr("no such checkpoint")));
  EXPECT_THAT(Evaluate("run", {"--checkpoint", ""}),
              FailsWith(2, HasSubstr("--checkpoint '': " + Path("run") +
                                     " has no such checkpoint, expected one of: best, last, step-10,")));
  EXPECT_THAT(Evaluate("run", {"--checkpoint", ".."}), FailsWith(2, HasSubstr("no such checkpoint")));
  EXPECT_THAT(Evaluate("run/checkpoints/best", {"--checkpoint", "10"}),
              FailsWith(2, HasSubstr("names a checkpoint already")));
  EXPECT_THAT(Evaluate("run", {"--labels", Path("t.csv")}), FailsWith(2, HasSubstr("--labels: goes with --data")));
  EXPECT_THAT(Evaluate("run", {"--data", Path("t.csv"), "--labels", Path("t.csv")}),
              FailsWith(2, HasSubstr("only goes with images")));
  WriteTextFile(dir_ / "bad.csv", "f0,f1\n1,2\n");
  EXPECT_THAT(Evaluate("run", {"--data", Path("bad.csv")}),
              FailsWith(2, HasSubstr("bad.csv: line 1: no columns \"f2\"")));
  WriteTextFile(dir_ / "t.csv", Table(5));
  EXPECT_THAT(Evaluate("run"), FailsWith(2, HasSubstr("the data is not what the run began with")));
  const Outcome accepted = Evaluate("run", {"--accept-changed-data"});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  EXPECT_THAT(accepted.err, HasSubstr("going on with changed data"));
  fs::remove(dir_ / "run/model.safetensors");
  fs::remove_all(dir_ / "run/checkpoints");
  EXPECT_THAT(Evaluate("run"), FailsWith(2, HasSubstr("the run has no weights yet")));
}

TEST_F(EvaluateAppTest, WeightsOfAnotherModelAreRefused) {
  ASSERT_EQ(Train("run").code, 0);
  ASSERT_EQ(Train("wide", {"model.mlp={ hidden_features: [64, 16] }"}).code, 0);
  fs::copy_file(dir_ / "wide/model.safetensors", dir_ / "run/model.safetensors", fs::copy_options::overwrite_existing);
  EXPECT_THAT(Evaluate("run"), FailsWith(2, HasSubstr("layers.0.weight")));
}

class EvaluateTextTest : public EvaluateAppTest {
 protected:
  EvaluateTextTest() {
    std::string text;
    for (int i = 0; i < 80; ++i)
      text += "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind\n";
    WriteTextFile(dir_ / "text", text);
    WriteTextFile(dir_ / "gpt.pbtxt", R"(
      model { gpt { depth: 1 width: 32 heads: 2 sequence_length: 16 } }
      training { steps: 6 batch_size: 4 }
      optimizer { muon {} }
      sparsity { enabled: true }
      evaluation { every_steps: 3 }
      checkpoint { every_steps: 3 }
      logging { every_steps: 3 tensorboard: false }
    )");
  }

  Outcome TrainText(const std::string& name, const std::vector<std::string>& settings) {
    return Run(Joined({"--config", Path("gpt.pbtxt"), "--out", Path(name), "--set", "data.text.path=" + Path("text")},
                      Set(settings)));
  }
};

TEST_F(EvaluateTextTest, EqualsTrainingsLastEvaluation) {
  for (const auto& [name, settings] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"bytes", {}},
           {"characters", {"data.text.vocabulary=CHARACTERS"}},
           {"part", {"evaluation.max_batches=2"}},
           {"bf16", {"training.precision=BF16"}},
           {"dense", {"sparsity.enabled=false"}}}) {
    const Outcome trained = TrainText(name, settings);
    ASSERT_EQ(trained.code, 0) << trained.err;
    ExpectSame(EvaluateJson(name), Recorded(name));
    ExpectSame(EvaluateJson(name, {"--checkpoint", "3"}), Recorded(name, 3));
  }
}

TEST_F(EvaluateTextTest, OtherTextsAreEvaluatedWhole) {
  WriteTextFile(dir_ / "other", "The question is: to be.");
  ASSERT_EQ(TrainText("run", {"data.text.vocabulary=CHARACTERS", "data.text.eval_path=" + Path("text")}).code, 0);
  const json own = EvaluateJson("run"), same = EvaluateJson("run", {"--data", Path("text")});
  ExpectSame(same, own);
  // "T" and the 22 characters after it: all but the first are predicted.
  EXPECT_EQ(EvaluateJson("run", {"--data", Path("other")})["tokens"], 22);
  WriteTextFile(dir_ / "other", "quid?! ÄÖ");
  EXPECT_THAT(Evaluate("run", {"--data", Path("other")}), FailsWith(2, HasSubstr("other")));
  WriteTextFile(dir_ / "other", "T");
  EXPECT_EQ(Evaluate("run", {"--data", Path("other")}).code, 2);
}

}  // namespace
}  // namespace twofour::train
