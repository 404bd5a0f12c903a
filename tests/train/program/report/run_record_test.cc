#include "twofour/train/program/report/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/train/metrics.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::MakeRun;
using test::RunConfig;
using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class RunRecordTest : public ::testing::Test {
 protected:
  RunRecord LoadWith(const std::string& metrics) {
    MakeRun(dir_ / "run", RunConfig("a", 3), metrics);
    return LoadRun(files_, dir_ / "run");
  }
  void ExpectDamage(const std::string& metrics, const std::string& message) {
    EXPECT_ERROR(LoadWith(metrics), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr("run/metrics.jsonl:" + message), Not(HasSubstr("\n"))));
  }

  TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
};

TEST_F(RunRecordTest, ADamagedPruningReportIsAnErrorInOneLine) {
  MakeRun(dir_ / "run", RunConfig("a", 3), "");
  const std::string whole = R"("method":"wanda","pattern":"2:4","sparsity":0.5)";
  for (const std::string& text : {std::string("["), "{" + whole, std::string("{}"), "{" + whole + R"(,"sparsity":2})",
                                  "{" + whole + R"(,"method":1})", "{" + whole + R"(,"loss_after":"low"})",
                                  "{" + whole + R"(,"linears":[[[[[[[[[[]]]]]]]]]]})"}) {
    SCOPED_TRACE(text);
    WriteTextFile(dir_ / "run/pruning.json", text);
    EXPECT_ERROR(LoadRun(files_, dir_ / "run"), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr("run/pruning.json: "), Not(HasSubstr("\n"))));
  }
  WriteTextFile(dir_ / "run/pruning.json", "{" + whole + R"(,"linears":[{"name":"a"}]})");
  EXPECT_EQ(LoadRun(files_, dir_ / "run").pruning->method, "wanda");
}

TEST_F(RunRecordTest, AShrunkRunHasALossAndNoSparsity) {
  MakeRun(dir_ / "run", RunConfig("a", 3), "");
  const std::string whole = R"("importance":"loss","parameters_before":100,"parameters_after":80)";
  WriteTextFile(dir_ / "run/shrink.json", "{" + whole + R"(,"loss_before":1,"loss_after":2})");
  const RunRecord run = LoadRun(files_, dir_ / "run");
  EXPECT_EQ(run.pruning->method, "shrink by loss");
  EXPECT_EQ(run.pruning->pattern, "80 of 100 parameters");
  EXPECT_FALSE(run.pruning->sparsity);
  EXPECT_EQ(run.pruning->loss_after, 2);
  WriteTextFile(dir_ / "run/shrink.json", "{" + whole + R"(,"loss_before":null})");
  EXPECT_FALSE(LoadRun(files_, dir_ / "run").pruning->loss_before);
  WriteTextFile(dir_ / "run/shrink.json", "{" + whole + R"(,"parameters_after":-1})");
  EXPECT_ERROR(LoadRun(files_, dir_ / "run"), ErrorKind::kInvalidInput, HasSubstr("run/shrink.json: "));
}

TEST_F(RunRecordTest, RunsThatOneShotPrunedHaveARecord) {
  const auto load = [&](const std::string& rounds) {
    MakeRun(dir_ / "run",
            RunConfig("a", 3,
                      "initial_weights: 'w' sparsity { enabled: true algorithm: PATTERN pattern: '2:4' } one_shot { "
                      "method: 'wanda' " +
                          rounds + " }"),
            R"({"step":0,"split":"eval","loss":2})"
            "\n" +
                test::Metrics(1.25));
    return LoadRun(files_, dir_ / "run");
  };
  const RunRecord once = load("");
  EXPECT_EQ(once.pruning->method, "wanda");
  EXPECT_EQ(once.pruning->pattern, "2:4");
  EXPECT_EQ(once.pruning->loss_after, 2);
  EXPECT_FALSE(once.pruning->loss_before);
  const RunRecord twice = load("rounds: 2 round_steps: 10");
  EXPECT_EQ(twice.pruning->method, "wanda, 2 rounds");
  EXPECT_FALSE(twice.pruning->loss_after);  // That of the first round is none of the pattern.
}

TEST_F(RunRecordTest, ReadsWhatTheTrainerWrites) {
  MakeRun(dir_ / "run", RunConfig("a", 3), "");
  {
    JsonLinesSink sink(FileSystem::Default(), dir_ / "run/metrics.jsonl");
    sink.OnTrain({.step = 10, .loss = 0.5, .unit = "tokens", .units_per_s = 100, .mfu = 0.25, .training_seconds = 7});
    sink.OnSparsity({.step = 10, .layer = "a", .retained_l1 = 0.75, .flip_rate = 0.25, .sparsity = 0.5});
    sink.OnSparsity({.step = 10, .layer = "b", .retained_l1 = 0.25, .flip_rate = 0.75, .tiles_keeping_seven = 3});
    sink.OnActivation({.step = 10, .layer = "a", .density = 0.125});
    sink.OnEval({.step = 20, .loss = 0.25, .details = {{"perplexity", 1.5}}, .training_seconds = 13.5});
  }
  const RunRecord run = LoadRun(files_, dir_ / "run");
  EXPECT_EQ(run.config.seed(), 3u);
  EXPECT_EQ(run.config.training().steps(), 100);
  EXPECT_TRUE(run.config.sparsity().has_interval());  // Defaults are spelled out.
  EXPECT_TRUE(run.finished);
  EXPECT_FALSE(run.torn_line);
  EXPECT_EQ(run.steps, 20);
  EXPECT_THAT(run.train_loss, ElementsAre(Pair(10, 0.5)));
  EXPECT_THAT(run.eval_loss, ElementsAre(Pair(20, 0.25)));
  EXPECT_THAT(run.eval_details, ElementsAre(Pair("perplexity", ElementsAre(Pair(20, 1.5)))));
  EXPECT_EQ(run.unit, "tokens");
  EXPECT_THAT(run.units_per_s, ElementsAre(Pair(10, 100)));
  EXPECT_THAT(run.training_seconds, ElementsAre(Pair(10, 7), Pair(20, 13.5)));
  EXPECT_THAT(run.layer_means.at("retained_l1"), ElementsAre(Pair(10, 0.5)));
  EXPECT_THAT(run.layer_means.at("flip_rate"), ElementsAre(Pair(10, 0.5)));
  EXPECT_THAT(run.layer_means.at("sparsity"), ElementsAre(Pair(10, 0.25)));
  EXPECT_THAT(run.layer_means.at("tiles_keeping_seven"), ElementsAre(Pair(10, 1.5)));
  EXPECT_THAT(run.layer_means.at("hidden_density"), ElementsAre(Pair(10, 0.125)));
}

TEST_F(RunRecordTest, SkipsALastLineTornByAKill) {
  const RunRecord run = LoadWith("{\"step\":1,\"split\":\"eval\",\"loss\":0.5}\n{\"step\":2,\"split\":\"ev");
  EXPECT_EQ(run.torn_line, 2);
  EXPECT_THAT(run.eval_loss, ElementsAre(Pair(1, 0.5)));
}

TEST_F(RunRecordTest, NamesADamagedLine) {
  const std::string good = "{\"step\":1,\"split\":\"eval\",\"loss\":0.5}\n";
  ExpectDamage(good + "{\"step\":2,\"spl\n" + good, "2: not a metrics record");
  ExpectDamage(good + good + "nonsense\n", "3: not a metrics record");
  ExpectDamage("\n", "1: not a metrics record");
  ExpectDamage("[1]\n", "1: not a metrics record");
  ExpectDamage("{\"split\":\"eval\",\"loss\":0.5}\n", "1: not a metrics record");
  ExpectDamage("{\"step\":1.5,\"split\":\"eval\",\"loss\":0.5}\n", "1: not a metrics record");
  ExpectDamage("{\"step\":-1,\"split\":\"eval\",\"loss\":0.5}\n", "1: step -1");
  ExpectDamage("{\"step\":18446744073709551615,\"split\":\"eval\",\"loss\":0.5}\n", "1: step 18446744073709551615");
  ExpectDamage("{\"step\":1,\"loss\":0.5}\n", "1: no split");
  ExpectDamage("{\"step\":1,\"split\":\"eval\"}\n", "1: no loss");
  ExpectDamage("{\"step\":1,\"split\":\"train\",\"loss\":\"low\"}\n", "1: \"loss\" is no number");
  ExpectDamage("{\"step\":1,\"split\":\"eval\",\"loss\":1,\"a\\nb\":[]}\n", "1: \"a\\nb\" is no number");
  ExpectDamage("{\"step\":1,\"split\":\"eval\",\"loss\":1e999}\n", "1: not a metrics record");
  ExpectDamage("{\"step\":1,\"split\":\"activation\",\"layer\":\"a\"}\n", "1: no density");
  ExpectDamage("{\"step\":1,\"split\":\"train\",\"loss\":1,\"training_seconds\":-0.5}\n",
               "1: training_seconds -0.5, expected at least 0");
  ExpectDamage("{\"step\":1,\"split\":\"eval\",\"loss\":1,\"training_seconds\":\"1\"}\n",
               "1: \"training_seconds\" is no number");
}

TEST_F(RunRecordTest, BoundsTheKindsOfNumbers) {
  std::string line = "{\"step\":1,\"split\":\"eval\",\"loss\":1";
  for (int i = 0; i < 100; ++i) line += ",\"d" + std::to_string(i) + "\":1";
  ExpectDamage(line + "}\n", "1: more than 32 kinds");
}

TEST_F(RunRecordTest, PassesOverKindsOfRecordsItDoesNotKnow) {
  EXPECT_TRUE(LoadWith("{\"step\":1,\"split\":\"weather\",\"rain\":\"yes\"}\n").eval_loss.empty());
}

TEST_F(RunRecordTest, ANumberThatIsNotFiniteIsAPointLess) {
  const RunRecord run = LoadWith(
      "{\"step\":1,\"split\":\"train\",\"loss\":null}\n{\"step\":2,\"split\":\"train\",\"loss\":3}\n"
      "{\"step\":2,\"split\":\"sparsity\",\"layer\":\"a\",\"flip_rate\":null}\n");
  EXPECT_THAT(run.train_loss, ElementsAre(Pair(2, 3)));
  EXPECT_TRUE(run.layer_means.empty());
}

TEST_F(RunRecordTest, ARunThatHasJustBegunHasNoMetrics) {
  MakeRun(dir_ / "run", RunConfig("a", 1), "", /*finished=*/false);
  fs::remove(dir_ / "run/metrics.jsonl");
  const RunRecord run = LoadRun(files_, dir_ / "run");
  EXPECT_FALSE(run.finished);
  EXPECT_EQ(run.steps, 0);
}

TEST_F(RunRecordTest, AFolderWithoutAValidConfigIsNoRun) {
  EXPECT_ERROR(LoadRun(files_, dir_ / "none"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("none: not a run's folder"), Not(HasSubstr("\n"))));
  MakeRun(dir_ / "run", "nonsense: 1\nmore_nonsense: 2", "");
  EXPECT_ERROR(LoadRun(files_, dir_ / "run"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("run/config.pbtxt:1:1: unknown field"), Not(HasSubstr("\n"))));
  WriteTextFile(dir_ / "run/config.pbtxt", RunConfig("a", 1, "training { steps: -5 batch_size: 0 }"));
  EXPECT_ERROR(LoadRun(files_, dir_ / "run"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("run/config.pbtxt: config: training.steps: -5"), Not(HasSubstr("\n"))));
}

TEST_F(RunRecordTest, MetricsAboveTheLimitAreNotRead) {
  MakeRun(dir_ / "run", RunConfig("a", 1), "");
  fs::resize_file(dir_ / "run/metrics.jsonl", kMaxReportMetricsBytes + 1);  // A hole in the file takes no disk space.
  EXPECT_ERROR(LoadRun(files_, dir_ / "run"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("metrics.jsonl"), HasSubstr("expected at most 536870912")));
}

TEST_F(RunRecordTest, ReadsHowARunEnded) {
  MakeRun(dir_ / "run", RunConfig("a", 3), "");
  {
    JsonLinesSink sink(FileSystem::Default(), dir_ / "run/metrics.jsonl");
    sink.OnEval({.step = 20, .loss = 0.25});
    sink.OnFinal({.step = 20,
                  .model_step = 10,
                  .best_step = 10,
                  .best_loss = 0.125,
                  .stopped_early = true,
                  .compared_from = 5,
                  .sparsity = 0.75});
  }
  const RunRecord run = LoadRun(files_, dir_ / "run");
  EXPECT_EQ(run.best.step, 10);
  EXPECT_EQ(run.best.loss, 0.125);
  EXPECT_EQ(run.final_sparsity, 0.75);
  EXPECT_EQ(FirstComparedStep(run), 5);
  EXPECT_EQ(run.model_step, 10);
  EXPECT_TRUE(run.stopped_early);
  const std::string ended = "{\"step\":20,\"split\":\"final\",\"model_step\":10,\"stopped_early\":true}\n";
  EXPECT_EQ(LoadWith(ended).model_step, 10);
  // The run went on and has not ended again.
  EXPECT_EQ(LoadWith(ended + "{\"step\":30,\"split\":\"eval\",\"loss\":1}\n").model_step, std::nullopt);
  ExpectDamage("{\"step\":20,\"split\":\"final\"}\n", "1: no model_step, expected a step");
  ExpectDamage("{\"step\":20,\"split\":\"final\",\"model_step\":-1}\n", "1: model_step -1, expected 0 to");
  ExpectDamage("{\"step\":20,\"split\":\"final\",\"model_step\":1,\"stopped_early\":1}\n", "1: no stopped_early");
}

TEST_F(RunRecordTest, OfAPlannedRunItsFolderDecidesWhetherItIsFinished) {
  const PlannedRunRecord failed{RunOutcome::kFailed, "exit code 1",
                                WithDefaults(ParseTextConfig(RunConfig("a", 3), "c"))};
  PlannedRunRecord finished = failed;
  finished.outcome = RunOutcome::kFinished;
  finished.reason = "";
  const auto load = [&](const PlannedRunRecord& planned) { return LoadPlannedRun(files_, dir_ / "run", planned); };
  const RunRecord nothing = load(failed);
  EXPECT_EQ(nothing.config.seed(), 3u);
  EXPECT_FALSE(nothing.finished);
  EXPECT_EQ(nothing.outcome, RunOutcome::kFailed);
  EXPECT_EQ(nothing.reason, "exit code 1");
  EXPECT_EQ(load(finished).outcome, RunOutcome::kUnfinished);
  EXPECT_EQ(load(finished).reason, "it was finished, and its folder is gone");

  const std::string metrics = "{\"step\":30,\"split\":\"eval\",\"loss\":1}\n";
  MakeRun(dir_ / "run", RunConfig("a", 3), metrics, /*finished=*/false);
  EXPECT_EQ(load(failed).outcome, RunOutcome::kFailed);
  EXPECT_EQ(load(failed).steps, 30);
  EXPECT_EQ(load(finished).reason, "it was finished, and its model.safetensors is gone");

  MakeRun(dir_ / "run", RunConfig("a", 3), metrics);
  EXPECT_EQ(load(failed).outcome, RunOutcome::kFinished);
  EXPECT_EQ(load(failed).reason, "");
  EXPECT_TRUE(load(failed).finished);

  MakeRun(dir_ / "run", RunConfig("a", 3), "damaged\n");
  const RunRecord damaged = load(finished);
  EXPECT_FALSE(damaged.finished);
  EXPECT_EQ(damaged.outcome, RunOutcome::kUnfinished);
  EXPECT_THAT(damaged.reason, HasSubstr("it cannot be read: "));
}

}  // namespace
}  // namespace twofour::train
