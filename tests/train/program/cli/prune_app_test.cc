// `trainer prune`, and what becomes of runs that it made.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/allocation/sensitivity_curve.h"

#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/prune_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ExpectBitEqual;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using PruneAppTest = test::PruneRunner;

TEST_F(PruneAppTest, MakesARunWhoseMasksStay) {
  TrainDense();
  const double dense = Loss("dense");
  const std::vector<std::vector<std::string>> cases = {
      {"--method", "magnitude", "--pattern", "2:4"},
      {"--method", "wanda", "--pattern", "unstructured:0.6:row"},
      {"--method", "sparsegpt", "--pattern", "4:8"},
      {"--method", "alps", "--pattern", "transposable:2:4", "--iterations", "20"},
      {"--method", "dsnot", "--pattern", "3:5", "--score", "ria"},
      {"--method", "gblm", "--pattern", "16:2:8", "--order", "layer-by-layer"},
      {"--method", "obs", "--pattern", "block:3x5:0.4"},
      {"--method", "gradient", "--pattern", "unstructured:0.5:model", "--seed", "7"}};
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i][1] + " " + cases[i][3]);
    const std::string name = "pruned" + std::to_string(i);
    const Outcome outcome = Prune("dense", name, cases[i]);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr(kFc), HasSubstr("output error"), HasSubstr("loss: ")));
    const JsonDocument report = Report(name);
    EXPECT_EQ(report.root().Find("loss_before")->number(), dense);
    // To the bit.
    EXPECT_EQ(Loss(name), report.root().Find("loss_after")->number());
    const JsonValue linear = report.root().Find("linears")->elements()[0];
    EXPECT_EQ(linear.Find("name")->string(), kFc);
    EXPECT_NEAR(Zeros(name, kFc), linear.Find("sparsity")->number(), 0.002);
    EXPECT_GT(linear.Find("output_error")->number(), 0);
    // Training keeps the masks to the bit.
    const Outcome retrained =
        Run({"retrain", "--from", Path(name), "--out", Path(name + "r"), "--set", "training.steps=3"});
    ASSERT_EQ(retrained.code, 0) << retrained.err;
    const SafetensorsFile before = Read(name), after = Read(name + "r");
    for (const std::string other : {"transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_proj"}) {
      ExpectBitEqual(*after.Find(other + ".weight_mask"), *before.Find(other + ".weight_mask"));
    }
    EXPECT_NE(Model(name), Model(name + "r"));
  }
}

TEST_F(PruneAppTest, TheRunCanBeUsedLikeAnyOther) {
  TrainDense();
  ASSERT_EQ(Prune("dense", "pruned", {"--method", "sparsegpt", "--pattern", "2:4"}).code, 0);
  EXPECT_EQ(Run({"sample", "--run", Path("pruned"), "--tokens", "5"}).code, 0);
  EXPECT_EQ(Run({"export", "--run", Path("pruned"), "--format", "packed", "--output", Path("packed.safetensors")}).code,
            0);
  EXPECT_THAT(Run({"--resume", Path("pruned")}), FailsWith(2, HasSubstr("trainer retrain --from ")));
  const Outcome tuned =
      Run({"finetune", "--from", Path("pruned"), "--config", Path("gpt.pbtxt"), "--out", Path("tuned"), "--set",
           "data.text.path=" + Path("text.txt"), "--set", "training.steps=4"});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  ExpectBitEqual(*Read("tuned").Find(std::string(kFc) + ".weight_mask"),
                 *Read("pruned").Find(std::string(kFc) + ".weight_mask"));
  EXPECT_THAT(ReadTextFile(dir_ / "pruned/config.pbtxt"),
              AllOf(HasSubstr("method: \"sparsegpt\""), HasSubstr("samples: 128"), HasSubstr("pattern: \"2:4\"")));
}

/// Its config alone would train random weights under other masks.
TEST_F(PruneAppTest, ItsConfigWithoutItsWeightsIsNoted) {
  TrainDense();
  ASSERT_EQ(Prune("dense", "pruned", {"--method", "sparsegpt", "--pattern", "2:4"}).code, 0);
  const std::string config = Path("pruned/config.pbtxt"), model = Path("pruned/model.safetensors");
  const auto train = [&](const std::string& name, const std::vector<std::string>& more) {
    return Run(Joined({"--config", config, "--out", Path(name), "--set", "training.steps=1"}, more));
  };
  const Outcome scratch = train("scratch", {});
  ASSERT_EQ(scratch.code, 0) << scratch.err;
  EXPECT_THAT(scratch.err, AllOf(HasSubstr("note: " + config + ": belongs to a run that trainer prune made"),
                                 HasSubstr("trainer retrain --from " + Path("pruned") + ","),
                                 HasSubstr("--set initial_weights=" + model + " --set initial_masks=true\n")));
  // What the note says goes without it and keeps the masks.
  const Outcome with = train("with", {"--set", "initial_weights=" + model, "--set", "initial_masks=true"});
  ASSERT_EQ(with.code, 0) << with.err;
  EXPECT_THAT(with.err, Not(HasSubstr("random weights")));
  ExpectBitEqual(*Read("with").Find(std::string(kFc) + ".weight_mask"),
                 *Read("pruned").Find(std::string(kFc) + ".weight_mask"));
  const Outcome retrained =
      Run({"retrain", "--from", Path("pruned"), "--out", Path("re"), "--set", "training.steps=1"});
  EXPECT_THAT(retrained.err, Not(HasSubstr("random weights")));
  EXPECT_THAT(train("dense_again", {"--dense"}).err, Not(HasSubstr("random weights")));
}

TEST_F(PruneAppTest, AStopIsToldAndLeavesNothing) {
  TrainDense();
  stop_.signal = 2;
  stop_.stop = true;
  for (const char* const method : {"magnitude", "sparsegpt"}) {
    for (const bool evaluates : {true, false}) {
      std::vector<std::string> arguments = {"--method", method, "--pattern", "2:4"};
      if (!evaluates) arguments.emplace_back("--skip-evaluation");
      const Outcome outcome = Prune("dense", "out", arguments);
      EXPECT_EQ(outcome.code, 130);
      EXPECT_EQ(outcome.err, "stopped; nothing was written\n");
      EXPECT_FALSE(fs::exists(dir_ / "out"));
    }
  }
}

TEST_F(PruneAppTest, AReportListsItBesideTheRunThatItIsOf) {
  TrainDense();
  ASSERT_EQ(Prune("dense", "pruned", {"--method", "wanda", "--pattern", "2:4"}).code, 0);
  ASSERT_EQ(Prune("dense", "unknown", {"--method", "magnitude", "--pattern", "1:4", "--skip-evaluation"}).code, 0);
  const Outcome outcome = Run({"report", Path("dense"), Path("pruned"), Path("unknown"), "--out", Path("report.html")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const JsonDocument report = Report("pruned");
  const auto cell = [&](const std::string& name) { return fmt::format(",{}", report.root().Find(name)->number()); };
  const std::string csv = ReadTextFile(dir_ / "report.csv");
  EXPECT_THAT(csv, AllOf(HasSubstr("\"wanda\",\"2:4\"" + cell("sparsity") + cell("loss_before") + cell("loss_after")),
                         HasSubstr("\"magnitude\",\"1:4\",0.75,,,,")));
  const std::string page = ReadTextFile(dir_ / "report.html");
  const std::string table = page.substr(page.find("Pruned runs"));
  EXPECT_THAT(table.substr(0, table.find("</table>")),
              AllOf(HasSubstr("wanda"), HasSubstr("2:4"), HasSubstr("0.5000"), HasSubstr("Loss before"),
                    HasSubstr("Loss after"), HasSubstr("magnitude"), HasSubstr("1:4"), HasSubstr("0.7500")));
}

/// The same seed gives the same bits with any number of threads, another seed calibrates with other data.
TEST_F(PruneAppTest, SeedsDecide) {
  TrainDense();
  const std::vector<std::string> method = {"--method", "sparsegpt", "--pattern", "2:4", "--samples", "8"};
  ASSERT_EQ(Prune("dense", "a", Joined(method, {"--threads", "1"})).code, 0);
  ASSERT_EQ(Prune("dense", "b", Joined(method, {"--threads", "2"})).code, 0);
  ASSERT_EQ(Prune("dense", "c", Joined(method, {"--seed", "1"})).code, 0);
  EXPECT_EQ(Model("a"), Model("b"));
  EXPECT_NE(Model("a"), Model("c"));
}

TEST_F(PruneAppTest, AllocationsMeetTheirTarget) {
  TrainDense();
  const auto sparsities = [&](const std::string& name, const std::vector<std::string>& arguments) {
    const Outcome outcome = Prune("dense", name, arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::vector<double> found;
    const JsonDocument report = Report(name);
    for (const JsonValue& linear : report.root().Find("linears")->elements()) {
      found.push_back(linear.Find("sparsity")->number());
    }
    EXPECT_EQ(Loss(name), report.root().Find("loss_after")->number());
    found.push_back(report.root().Find("sparsity")->number());
    return found;
  };
  // Of 4096 weights each.
  const std::vector<double> owl =
      sparsities("owl", {"--method", "wanda", "--pattern", "unstructured:0.7", "--allocation", "owl"});
  ASSERT_EQ(owl.size(), 5u);
  EXPECT_NEAR(owl.back(), 0.7, 0.5 / (4 * 4096));
  EXPECT_NEAR(*std::max_element(owl.begin(), owl.end() - 1) - *std::min_element(owl.begin(), owl.end() - 1), 0.16,
              0.001);
  const std::vector<double> mixed = sparsities("mixed", {"--method", "wanda", "--pattern", "2:4", "--target", "0.625"});
  EXPECT_EQ(mixed, (std::vector<double>{0.5, 0.75, 0.5, 0.75, 0.625}));
  // The densest of its patterns holds all.
  const Outcome packed =
      Run({"export", "--run", Path("mixed"), "--format", "packed", "--output", Path("p.safetensors")});
  EXPECT_EQ(packed.code, 0) << packed.err;
  // Some stay dense.
  const std::vector<double> part =
      sparsities("part", {"--method", "sparsegpt", "--pattern", "2:4", "--target", "0.125", "--allocation", "owl"});
  EXPECT_EQ(part, (std::vector<double>{0.25, 0.25, 0.125}));
  EXPECT_THAT(ReadTextFile(dir_ / "part/pruning.json"), HasSubstr("\"the allocation leaves it dense\""));
}

/// A budget for all linears together may drop some of them whole.
TEST_F(PruneAppTest, ALinearMayLoseEverything) {
  TrainDense();
  const Outcome outcome =
      Prune("dense", "pruned", {"--method", "magnitude", "--pattern", "block:16x16:0.97:model", "--include", ".*"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(": all of its weights are dropped"));
  EXPECT_EQ(Loss("pruned"), Report("pruned").root().Find("loss_after")->number());
  EXPECT_EQ(Run({"retrain", "--from", Path("pruned"), "--out", Path("on"), "--set", "training.steps=2"}).code, 0);
}

/// The measured losses say that this is better than to prune all linears alike.
TEST_F(PruneAppTest, AllocatesBySensitivity) {
  TrainDense();
  ASSERT_EQ(Run({"sensitivity", "--run", Path("dense"), "--out", Path("losses"), "--levels", "0.3,0.6,0.9"}).code, 0);
  const std::string file = Path("losses/sensitivity.json");
  const Outcome outcome =
      Prune("dense", "pruned", {"--method", "magnitude", "--pattern", "unstructured:0.6", "--allocation", file});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const JsonDocument report = Report("pruned"), losses = JsonDocument::Parse(ReadTextFile(file), file);
  EXPECT_NEAR(report.root().Find("sparsity")->number(), 0.6, 0.5 / (4 * 4096));
  EXPECT_EQ(report.root().Find("allocation")->string(), "sensitivity");
  const auto pruned = report.root().Find("linears")->elements(), measured = losses.root().Find("linears")->elements();
  ASSERT_EQ(pruned.size(), measured.size());
  double found = 0, alike = 0;
  for (size_t i = 0; i < measured.size(); ++i) {
    sparse::SensitivityCurve curve;
    for (const JsonValue& point : measured[i].Find("points")->elements()) {
      curve.push_back({point.Find("level")->number(), point.Find("increase")->number()});
    }
    const sparse::SensitivityCurve rising = sparse::Rising(curve);
    found += sparse::LossAt(rising, pruned[i].Find("sparsity")->number());
    alike += sparse::LossAt(rising, 0.6);
  }
  EXPECT_LT(found, alike);
  EXPECT_THAT(Prune("dense", "out", {"--method", "magnitude", "--pattern", "2:4", "--allocation", file}),
              FailsWith(2, HasSubstr("are for unstructured, expected that kind of pattern")));
  EXPECT_THAT(
      Prune("dense", "out", {"--method", "magnitude", "--pattern", "unstructured:0.95", "--allocation", file}),
      FailsWith(2, AllOf(HasSubstr("losses/sensitivity.json: the sparsity of --pattern, 0.95, expected 0 to 0.9"),
                         HasSubstr("--max-sparsity and the levels measured"))));
}

TEST_F(PruneAppTest, APrunedRunIsPrunedFurtherButNotLess) {
  TrainDense();
  ASSERT_EQ(Prune("dense", "half", {"--method", "wanda", "--pattern", "2:4"}).code, 0);
  EXPECT_THAT(Prune("half", "less", {"--method", "wanda", "--pattern", "3:4"}),
              FailsWith(2, HasSubstr("--pattern 3:4: transformer.h.0.mlp.c_fc would keep 3072 of its 4096 weights and "
                                     "keeps 2048 already")));
  EXPECT_THAT(Prune("half", "less", {"--method", "wanda", "--pattern", "1:4", "--include", ".*c_fc"}),
              FailsWith(2, HasSubstr("c_proj: the run has pruned it, and it would become dense")));
  EXPECT_FALSE(fs::exists(dir_ / "less"));
  ASSERT_EQ(Prune("half", "more", {"--method", "wanda", "--pattern", "1:4"}).code, 0);
  EXPECT_EQ(Zeros("more", kFc), 0.75);
}

/// Random scores know nothing of what an earlier pruning dropped.
TEST_F(PruneAppTest, ByRandomScoresASparseRunKeepsWhatItKept) {
  TrainDense();
  ASSERT_EQ(Prune("dense", "half", {"--method", "magnitude", "--pattern", "2:4"}).code, 0);
  ASSERT_EQ(Prune("half", "again", {"--method", "random", "--pattern", "2:4"}).code, 0);
  EXPECT_EQ(Zeros("again", kFc), 0.5);
}

/// The run's recipe says which linears can be pruned, by their sizes as by their names.
TEST_F(PruneAppTest, PrunesTheLinearsOfTheRecipe) {
  const Outcome trained = TrainOnText("dense", {"--set", "sparsity.multiple_of=64"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(Prune("dense", "out", {"--method", "magnitude", "--pattern", "2:4"}),
              FailsWith(2, HasSubstr("4 linears: its sizes are not both multiples of 64")));
  EXPECT_THAT(Run({"sensitivity", "--run", Path("dense"), "--out", Path("s")}),
              FailsWith(2, HasSubstr("4 linears: its sizes are not both multiples of 64")));
  EXPECT_EQ(Run({"sensitivity", "--run", Path("dense"), "--out", Path("s"), "--multiple-of", "32"}).code, 0);
  const Outcome outcome = Prune("dense", "out", {"--method", "magnitude", "--pattern", "2:4", "--multiple-of", "32"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Report("out").root().Find("linears")->elements().size(), 4u);
  EXPECT_THAT(ReadTextFile(dir_ / "out/config.pbtxt"), HasSubstr("multiple_of: 32"));
}

/// What nothing is computed with is not read.
TEST_F(PruneAppTest, NeedsNoDataWhereNothingTakesAny) {
  TrainDense();
  fs::remove(dir_ / "text.txt");
  const std::vector<std::string> skips = {"--skip-evaluation", "--skip-output-errors"};
  for (const char* const method : {"magnitude", "random"}) {
    const Outcome outcome =
        Prune("dense", "out", Joined(skips, {"--method", method, "--pattern", "2:4", "--overwrite"}));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(Zeros("out", kFc), 0.5);
  }
  EXPECT_EQ(
      Run({"shrink", "--run", Path("dense"), "--out", Path("smaller"), "--neurons", "64", "--skip-evaluation"}).code,
      0);
  EXPECT_THAT(Prune("dense", "more", {"--method", "magnitude", "--pattern", "2:4", "--skip-evaluation"}),
              FailsWith(2, HasSubstr("text.txt")));
}

TEST_F(PruneAppTest, NeedsDataOnlyToCalibrate) {
  TrainDense();
  ASSERT_EQ(Run({"import", "--from", Path("dense/model.safetensors"), "--config", Path("gpt.pbtxt"), "--out",
                 Path("bare"), "--set", "model.gpt.vocab_size=12", "--set", "data={}"})
                .code,
            0);
  EXPECT_THAT(Prune("bare", "out", {"--method", "sparsegpt", "--pattern", "2:4"}),
              FailsWith(2, HasSubstr("the run has no data, expected one with data to calibrate with")));
  const Outcome outcome = Prune("bare", "out", {"--method", "magnitude", "--pattern", "2:4"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("losses are not known"));
  EXPECT_EQ(Zeros("out", kFc), 0.5);
}

}  // namespace
}  // namespace twofour::train
