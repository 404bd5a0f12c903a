#include "twofour/train/program/sweep/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "twofour/core/processors.h"
#include "twofour/train/program/sweep/sweep_config.h"

#include "tests/support/expect_error.h"
#include "tests/support/text_file.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PlanTest : public test::SweepFiles {};

TEST_F(PlanTest, RunsEveryVariantWithEverySeed) {
  const SweepPlan plan =
      Plan("axis { variant { name: 'a b' } variant { name: 'c' set: 'training.steps=8' } } seed: [7, 9]");
  std::vector<std::string> titles;
  for (const PlannedRun& run : plan.runs) titles.push_back(run.title());
  EXPECT_THAT(titles, ElementsAre("a b seed 7", "c seed 7", "a b seed 9", "c seed 9"));
  EXPECT_EQ(plan.runs[2].folder, dir_ / "out/a_b/seed-9");
  EXPECT_EQ(plan.runs[2].log(), dir_ / "out/a_b/seed-9.log");
}

TEST_F(PlanTest, ResolvesEveryConfig) {
  const SweepPlan plan = Plan(
      "set: 'training.steps=5' axis { field: 'learning_rate.lr' value: ['0.5', '0.25'] } seed: 3 threads_per_run: 2");
  const proto::Config& config = plan.runs[1].config;
  EXPECT_EQ(config.name(), "lr=0.25");
  EXPECT_EQ(config.seed(), 3u);
  EXPECT_EQ(config.threads(), 2);
  EXPECT_EQ(config.training().steps(), 5);
  EXPECT_EQ(config.learning_rate().lr(), 0.25);
  EXPECT_EQ(config.training().batch_size(), 16);
  EXPECT_TRUE(config.optimizer().adamw().has_beta2());
  EXPECT_THAT(plan.runs[1].set, ElementsAre("training.steps=5", "learning_rate.lr=0.25", "name=\"lr=0.25\""));
}

TEST_F(PlanTest, VariesThePrecision) {
  const SweepPlan plan = Plan("axis { field: 'training.precision' value: ['FP32', 'BF16'] }");
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].title(), "precision=FP32 seed 1");
  EXPECT_EQ(plan.runs[0].config.training().precision(), proto::Training::FP32);
  EXPECT_EQ(plan.runs[1].title(), "precision=BF16 seed 1");
  EXPECT_EQ(plan.runs[1].config.training().precision(), proto::Training::BF16);
}

TEST_F(PlanTest, AFieldWithoutAnEffectIsRefusedUnlessTheSweepHasBegun) {
  const std::string sweep = "set: 'evaluation.max_batches=3' seed: [1, 2]";
  EXPECT_ERROR(Plan(sweep), ErrorKind::kInvalidInput,
               HasSubstr("config: evaluation.max_batches: 3, expected 0 for a model that reads no tokens"));
  std::filesystem::create_directories(dir_ / "out/base/seed-1");
  test::WriteTextFile(dir_ / "out/base/seed-1/config.pbtxt", "evaluation { max_batches: 3 }");
  const SweepPlan plan = Plan(sweep);
  EXPECT_TRUE(plan.has_begun);
  for (const PlannedRun& run : plan.runs) EXPECT_EQ(run.config.evaluation().max_batches(), 3);
}

TEST_F(PlanTest, ANameMayHoldQuotes) {
  const SweepPlan plan = Plan(R"(axis { variant { name: "\"a\\b\"" } })");
  EXPECT_EQ(plan.runs[0].config.name(), "\"a\\b\"");
}

TEST_F(PlanTest, LiesBelowRunsUnlessToldOtherwise) {
  const proto::Sweep sweep = test::ParseSweep("base: 'base.pbtxt'");
  const SweepPlan plan = PlanSweep(sweep, Path("trial.pbtxt"), "");
  EXPECT_EQ(plan.folder, "runs/trial");
  EXPECT_EQ(plan.runs[0].folder, "runs/trial/base/seed-1");
}

TEST_F(PlanTest, SharesTheProcessorsAmongRuns) {
  const int processors = CountProcessors().count;
  EXPECT_EQ(Plan("").threads_per_run, processors);
  EXPECT_EQ(Plan("parallel_runs: 2").threads_per_run, std::max(processors / 2, 1));
  EXPECT_EQ(Plan("parallel_runs: 256").threads_per_run, std::max(processors / 256, 1));
  EXPECT_EQ(Plan("threads_per_run: 3 parallel_runs: 2").threads_per_run, 3);
}

TEST_F(PlanTest, ARunStartsFromOneOfTheSameSeed) {
  const SweepPlan plan = Plan(
      "axis { variant { name: 'again' set: 'initial_weights={run:dense}/model.safetensors' } variant { name: 'dense' } "
      "} seed: [1, 2]");
  EXPECT_EQ(plan.runs[2].config.initial_weights(), Path("out/dense/seed-2/model.safetensors"));
  EXPECT_THAT(plan.runs[2].needs, ElementsAre(3));
  EXPECT_THAT(plan.runs[3].needs, IsEmpty());
}

TEST_F(PlanTest, AReferenceToAnEntryStaysWithTheOtherAxes) {
  const SweepPlan plan = Plan(
      "axis { variant { name: 'dense' } variant { name: 'again' set: 'initial_weights={run:dense}/model.safetensors' } "
      "} axis { field: 'learning_rate.lr' value: ['0.5', '0.25'] }");
  EXPECT_EQ(plan.runs[3].variant, "again, lr=0.25");
  EXPECT_THAT(plan.runs[3].needs, ElementsAre(1));
  EXPECT_EQ(plan.runs[3].config.initial_weights(), Path("out/dense_lr=0.25/seed-1/model.safetensors"));
}

TEST_F(PlanTest, RunsCannotNeedEachOther) {
  const auto needing = [](const std::string& name, const std::string& need) {
    return "variant { name: '" + name + "' set: 'initial_weights={run:" + need + "}/x' } ";
  };
  EXPECT_ERROR(Plan("axis { " + needing("a", "a") + "}"), ErrorKind::kInvalidInput, HasSubstr("'a' needs 'a'"));
  EXPECT_ERROR(Plan("axis { " + needing("out", "a") + needing("a", "b") + needing("b", "c") + needing("c", "a") + "}"),
               ErrorKind::kInvalidInput,
               AllOf(HasSubstr("'a' needs 'b', which needs 'c', which needs 'a', expected"), Not(HasSubstr("'out'"))));
  EXPECT_NO_THROW(Plan("axis { " + needing("a", "b") + needing("b", "c") + " variant { name: 'c' } }"));
}

TEST_F(PlanTest, NamesTheVariantWhoseConfigIsWrong) {
  EXPECT_ERROR(Plan("axis { field: 'learning_rate.lrr' value: '1' }"), ErrorKind::kInvalidInput,
               HasSubstr("trial.pbtxt: variant 'lrr=1': --set learning_rate.lrr=1: unknown field 'lrr' in LearningRate "
                         "(did you mean 'lr'?)"));
  EXPECT_ERROR(Plan("axis { variant { name: 'fine' } variant { name: 'bad' set: 'training={ steps: -1 batch_size: 0 }' "
                    "} }"),
               ErrorKind::kInvalidInput,
               AllOf(HasSubstr("variant 'bad': config: training.steps: -1"),
                     HasSubstr("\n" + Path("trial.pbtxt") + ": variant 'bad': config: training.batch_size: 0")));
}

TEST_F(PlanTest, AVariantIsWhatItIsCalled) {
  const auto refuses = [&](const std::string& text, const std::string& message) {
    EXPECT_ERROR(Plan(text), ErrorKind::kInvalidInput, EndsWith("trial.pbtxt: " + message));
  };
  refuses(
      "axis { variant { name: 'sgd' set: 'optimizer.sgd.momentum=0.9' } variant { name: 'adamw' } } "
      "axis { field: 'optimizer.adamw.weight_decay' value: '0.1' }",
      "variant 'sgd, weight_decay=0.1': --set optimizer.adamw.weight_decay=0.1: would discard --set "
      "optimizer.sgd.momentum=0.9: optimizer is sgd by then, expected fields of one of the two");
  refuses(
      "axis { field: 'learning_rate.warmup_steps' value: '1' } "
      "axis { field: 'learning_rate.warmup_fraction' value: '0.5' }",
      "variant 'warmup_steps=1, warmup_fraction=0.5': learning_rate.warmup_fraction=0.5 undoes "
      "learning_rate.warmup_steps of learning_rate.warmup_steps=1, expected assignments that hold together");
  refuses(
      "axis { variant { name: 'x' set: 'training.steps=30' } } axis { variant { name: 'y' set: 'training.steps=40' } }",
      "variant 'x, y': training.steps=40 undoes training.steps of training.steps=30, expected assignments that hold "
      "together");
  refuses("axis { field: 'model.mlp.dropout' value: '0.1' }",
          "variant 'dropout=0.1': --set model.mlp.dropout=0.1: the config has model.residual_mlp, expected a field of "
          "it; to change over to mlp, which discards model.residual_mlp, give --set model.mlp={} first");
}

TEST_F(PlanTest, NoTwoVariantsHaveOneConfig) {
  EXPECT_ERROR(
      Plan("axis { field: 'learning_rate.lr' value: ['0.01', '0.5', '1e-2'] } seed: [1, 2]"), ErrorKind::kInvalidInput,
      EndsWith("trial.pbtxt: variants 'lr=0.01' and 'lr=1e-2' have one config and would be the same run twice, "
               "expected different ones"));
  EXPECT_ERROR(Plan("axis { variant { name: 'as it is' } variant { name: 'spelt out' set: 'training.steps=6' } }"),
               ErrorKind::kInvalidInput, HasSubstr("variants 'as it is' and 'spelt out' have one config"));
}

TEST_F(PlanTest, AlternativesCanBeCompared) {
  const SweepPlan plan = Plan(
      "set: 'optimizer.adamw.beta1=0.8' set: 'training.steps=5' "
      "axis { field: 'optimizer' value: ['{sgd{}}', '{adamw{beta1: 0.7}}', '{muon{}}'] }");
  ASSERT_EQ(plan.runs.size(), 3u);
  EXPECT_TRUE(plan.runs[0].config.optimizer().has_sgd());
  EXPECT_EQ(plan.runs[1].config.optimizer().adamw().beta1(), 0.7);
  EXPECT_TRUE(plan.runs[2].config.optimizer().has_muon());
  EXPECT_THAT(plan.runs[0].set, ElementsAre("training.steps=5", "optimizer={sgd{}}", "name=\"optimizer={sgd{}}\""));
}

TEST_F(PlanTest, TheCommandLineIsStrongerThanTheFileAndNotUndoneByAnAxis) {
  proto::Sweep sweep = test::ParseSweep(
      "base: 'base.pbtxt' set: 'training.steps=9' axis { field: 'learning_rate.lr' value: ['0.5', '0.25'] }");
  sweep.add_set("training.steps=4");
  EXPECT_EQ(PlanSweep(sweep, Path("trial.pbtxt"), dir_ / "out", 1).runs[1].config.training().steps(), 4);
  EXPECT_ERROR(PlanSweep(sweep, Path("trial.pbtxt"), dir_ / "out"), ErrorKind::kInvalidInput,
               HasSubstr("training.steps=4 undoes training.steps of training.steps=9"));
  sweep.add_set("learning_rate.lr=0.1");
  EXPECT_ERROR(PlanSweep(sweep, Path("trial.pbtxt"), dir_ / "out", 2), ErrorKind::kInvalidInput,
               HasSubstr("learning_rate.lr=0.5 undoes learning_rate.lr of --set learning_rate.lr=0.1"));
}

TEST_F(PlanTest, KnowsNoOtherNames) {
  EXPECT_ERROR(Plan("axis { variant { name: 'dense' } } baseline: 'dens'"), ErrorKind::kInvalidInput,
               EndsWith("trial.pbtxt: baseline: no variant is named 'dens' (did you mean 'dense'?)"));
  EXPECT_ERROR(Plan("axis { variant { name: 'a' set: 'initial_weights={run:b}/x' } }"), ErrorKind::kInvalidInput,
               HasSubstr("trial.pbtxt: variant 'a': initial_weights={run:b}/x: no variant is named 'b'"));
}

TEST_F(PlanTest, TellsFaultsOfAllKindsTogether) {
  const std::string source = Path("trial.pbtxt");
  EXPECT_ERROR(Plan("axis { variant { name: 'a' set: 'training.steps=-1' } } baseline: 'b' parallel_runs: 0"),
               ErrorKind::kInvalidInput,
               AllOf(HasSubstr(source + ": parallel_runs: 0, expected 1 to 256\n" + source +
                               ": baseline: no variant is named 'b'"),
                     HasSubstr("\n" + source + ": variant 'a': config: training.steps: -1")));
  // The variants are not known here.
  EXPECT_ERROR(Plan("axis {} baseline: 'b' seed: [1, 1]"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("axis 1: empty"), HasSubstr("seed: 1 twice"), Not(HasSubstr("baseline"))));
}

TEST_F(PlanTest, ABaseThatDoesNotExistIsNamed) {
  const proto::Sweep sweep = test::ParseSweep("base: 'none.pbtxt'");
  EXPECT_ERROR(PlanSweep(sweep, Path("trial.pbtxt"), ""), ErrorKind::kInvalidInput, HasSubstr(Path("none.pbtxt")));
}

TEST(ShippedSweepTest, EveryExperimentCanBePlanned) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TWOFOUR_SOURCE_DIR "/configs/experiments")) {
    const std::string path = entry.path().string();
    SCOPED_TRACE(path);
    EXPECT_THAT(PlanSweep(LoadSweep(path), path, "").runs, Not(IsEmpty()));
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace twofour::train
