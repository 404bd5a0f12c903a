// `trainer prune`, and what becomes of runs that it made.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/allocation/sensitivity_curve.h"

#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/text_runner.h"

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

constexpr const char* kFc = "transformer.h.0.mlp.c_fc";

class PruneAppTest : public test::TextRunner {
 protected:
  PruneAppTest() : TextRunner("depth: 2 width: 32 heads: 2 sequence_length: 16", 30) {}

  void TrainDense(const std::vector<std::string>& more = {}) {
    const Outcome outcome = TrainOnText("dense", more);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  Outcome Prune(const std::string& run, const std::string& out, const std::vector<std::string>& more) {
    return Run(Joined({"prune", "--run", Path(run), "--out", Path(out)}, more));
  }
  SafetensorsFile Read(const std::string& run) {
    return LoadSafetensors(FileSystem::Default(), dir_ / run / "model.safetensors");
  }
  double Loss(const std::string& run) {
    const Outcome outcome = Run({"evaluate", "--run", Path(run), "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto json = JsonDocument::TryParse(outcome.out);
    return json ? json->root().Find("loss")->number() : std::nan("");
  }
  JsonDocument Report(const std::string& run) {
    return JsonDocument::Parse(ReadTextFile(dir_ / run / "pruning.json"), "pruning.json");
  }
  /// The share of a weight that is zero.
  double Zeros(const std::string& run, const std::string& linear) {
    const Tensor weight = Read(run).Find(linear + ".weight")->To(DType::kF64);
    const double* const data = weight.data<double>();
    return static_cast<double>(std::count(data, data + weight.numel(), 0.0)) / static_cast<double>(weight.numel());
  }
};

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
  const std::string table = page.substr(page.find("Pruned without training"));
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
  EXPECT_EQ(mixed, (std::vector<double>{0.75, 0.75, 0.5, 0.5, 0.625}));
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

/// Weights that the model has, with those of the MLPs changed.
class ChangedWeightsTest : public PruneAppTest {
 protected:
  /// Imports the weights of `dense` with those of the first MLP linear times `factor` as the run `name`.
  void ImportScaled(const std::string& name, float factor) {
    TrainDense();
    SafetensorsFile file = Read("dense");
    for (NamedTensor& named : file.tensors) {
      if (named.name != std::string(kFc) + ".weight") continue;
      float* const data = named.tensor.mutable_data<float>();
      for (int64_t i = 0; i < named.tensor.numel(); ++i) data[i] *= factor;
    }
    SaveSafetensors(FileSystem::Default(), dir_ / "scaled.safetensors", file.tensors, {{"format", "pt"}});
    const Outcome outcome = Run(
        {"import", "--from", Path("scaled.safetensors"), "--config", Path("dense/config.pbtxt"), "--out", Path(name)});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
};

TEST_F(ChangedWeightsTest, TellsHowManyWeightsAreZero) {
  ImportScaled("holes", 0);
  const Outcome outcome =
      Prune("holes", "out", {"--method", "magnitude", "--pattern", "unstructured:0.1", "--include", ".*mlp.*"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // One of four linears of the same size is 0, a tenth of each of the others is dropped.
  EXPECT_THAT(outcome.out, HasSubstr("sparsity of the 4 linears: 0.1001; 0.3251 of their weights are 0"));
}

TEST_F(ChangedWeightsTest, RefusesARunWhoseLossIsNotFinite) {
  ImportScaled("huge", 1e30F);
  EXPECT_THAT(Prune("huge", "out", {"--method", "magnitude", "--pattern", "2:4", "--skip-output-errors"}),
              FailsWith(1, HasSubstr("its evaluation loss is")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(ChangedWeightsTest, TellsThatLossesAreOfOtherWeights) {
  ImportScaled("other", 2);
  const Outcome measured = Run(
      {"sensitivity", "--run", Path("dense"), "--out", Path("sens"), "--method", "magnitude", "--levels", "0.25,0.5"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  const std::vector<std::string> by_file = {"--method",         "magnitude",    "--pattern",
                                            "unstructured:0.4", "--allocation", Path("sens/sensitivity.json")};
  EXPECT_THAT(Prune("other", "a", by_file).err, HasSubstr("its losses are those of other weights than"));
  EXPECT_THAT(Prune("dense", "b", by_file).err, Not(HasSubstr("other weights")));
}

TEST_F(PruneAppTest, TellsWhichChosenLinearsStayDense) {
  TrainDense();
  const Outcome outcome = Prune("dense", "out", {"--method", "magnitude", "--pattern", "2:4", "--include", ".*"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("lm_head stays dense: its sizes are not both multiples of 16"),
                                 Not(HasSubstr("c_fc stays dense"))));
}

TEST_F(PruneAppTest, SaysWhatIsWrongAndWritesNothing) {
  TrainDense({"--set", "model.gpt.tied_head=true"});
  const auto refuses = [&](const std::vector<std::string>& arguments, const std::string& message) {
    EXPECT_THAT(Prune("dense", "out", arguments), FailsWith(2, HasSubstr(message)));
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  };
  refuses({"--method", "best", "--pattern", "2:4"}, "--method: 'best', expected sparsegpt, alps, dsnot, or a score");
  refuses({"--method", "wanda", "--pattern", "half"}, "--pattern: 'half', expected a pattern such as 2:4");
  refuses({"--method", "wanda", "--pattern", "5:4"}, "--pattern: pattern 5:4: n is 5, expected 1 to 3");
  refuses({"--method", "wanda", "--pattern", "2:4", "--order", "any"}, "--order: 'any', expected one-pass");
  refuses({"--method", "wanda", "--pattern", "2:4", "--score", "ria"}, "--score: goes with --method dsnot");
  refuses({"--method", "wanda", "--pattern", "2:4", "--samples", "100000"}, "--samples: 100000, expected at most");
  refuses({"--method", "wanda", "--pattern", "2:4", "--include", "("}, "--include: '(', expected a regular expression");
  refuses({"--method", "wanda", "--pattern", "2:4", "--include", "none"},
          "none of the 13 linears is to be pruned: 13 linears: name does not match include 'none'");
  refuses({"--method", "wanda", "--pattern", "2:4", "--exclude", ".*"},
          "9 linears: name does not match include '(.*\\.)?(mlp|layers)\\..*'; 4 linears: name matches exclude '.*'");
  refuses({"--method", "wanda", "--pattern", "2:4", "--include", ".*c_fc|lm_head", "--exclude", ".*c_fc",
           "--multiple-of", "1"},
          "10 linears: name does not match include '.*c_fc|lm_head'; 2 linears: name matches exclude '.*c_fc'; "
          "lm_head: shares its weight with transformer.wte.weight");
  refuses({"--method", "wanda", "--pattern", "2:4", "--target", "0"},
          "--target 0: none of 4 linears would lose a weight, expected a sparsity that prunes some");
  refuses({"--method", "alps", "--pattern", "2:4", "--dampening", "-1"}, "--dampening: -1, expected 0 to 1000");
  refuses({"--method", "sparsegpt", "--pattern", "unstructured:0.5:model"}, "a scope within one weight");
  refuses({"--method", "wanda", "--pattern", "unstructured:0.5:model", "--order", "layer-by-layer"},
          "--order: layer-by-layer, expected one-pass for a pattern with a scope of the model");
  refuses({"--method", "dsnot", "--pattern", "64:2:8"}, "DSnoT exchanges weights of one row");
  refuses({"--method", "wanda", "--pattern", "2:4", "--allocation", "best"}, "--allocation: 'best', expected equal");
  refuses({"--method", "wanda", "--pattern", "2:4", "--lambda", "0.1"}, "--lambda: goes with --allocation owl");
  refuses(
      {"--method", "wanda", "--pattern", "2:4", "--target", "0.8", "--max-sparsity", "0.5", "--allocation", "owl"},
      "--allocation owl: --target 0.8, expected 0 to 0.5: what the pattern, --min-sparsity and --max-sparsity allow");
  refuses({"--method", "wanda", "--pattern", "2:4", "--target", "0.9"}, "--allocation equal: --target 0.9, expected");
  refuses({"--method", "wanda", "--pattern", "unstructured:0.5", "--target", "0.6"}, "--target: 0.6, expected 0.5");
  refuses({"--method", "wanda", "--pattern", "2:4", "--target", "0.5x"}, "0.5x, expected a number from 0 to 1");
  refuses({"--method", "alps", "--pattern", "2:4", "--dampening", "x"}, "x, expected a finite number (");
  refuses({"--method", "wanda", "--pattern", "4:2"}, "pattern 4:2: n is 4, expected 1\n");
  const std::vector<std::string> owl = {"--method", "wanda", "--pattern", "unstructured:0.5", "--allocation", "owl"};
  refuses(Joined(owl, {"--min-sparsity", "0.6", "--max-sparsity", "0.5"}),
          "--min-sparsity: 0.6, expected at most --max-sparsity, which is 0.5");
  refuses({"--method", "wanda", "--pattern", "64:2:8", "--allocation", "owl"},
          "--allocation: owl, expected equal for 64:2:8, of which all linears get the same");
  refuses({"--method", "wanda", "--pattern", "64:2:8", "--multiple-of", "2"},
          "--multiple-of: 2, expected a multiple of 4 for 64:2:8");
  EXPECT_THAT(Prune("nothing", "out", {"--method", "wanda", "--pattern", "2:4"}), FailsWith(2, HasSubstr("nothing")));
  fs::remove(dir_ / "dense/model.safetensors");
  fs::remove_all(dir_ / "dense/checkpoints");
  refuses({"--method", "wanda", "--pattern", "2:4"}, "the run has no weights yet");
}

TEST_F(PruneAppTest, RefusesOptionsThatMakeNoDifference) {
  TrainDense();
  const auto refuses = [&](const std::vector<std::string>& arguments, const std::string& message) {
    const Outcome outcome = Prune("dense", "out", Joined({"--pattern", "2:4"}, arguments));
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  };
  refuses({"--method", "sparsegpt", "--iterations", "5"}, "--iterations: goes with --method alps");
  refuses({"--method", "magnitude", "--block", "5"}, "--block: goes with --method sparsegpt");
  refuses({"--method", "alps", "--block", "128"}, "--block: goes with --method sparsegpt");
  refuses({"--method", "wanda", "--dampening", "0.1"}, "--dampening: goes with --method sparsegpt, alps or obs");
  refuses({"--method", "wanda", "--min-sparsity", "0.1"},
          "--min-sparsity: goes with --allocation owl or a sensitivity");
  refuses({"--method", "wanda", "--max-sparsity", "0.9"},
          "--max-sparsity: goes with --allocation owl or a sensitivity");
  const std::vector<std::string> no_data = {"--method", "magnitude", "--skip-output-errors"};
  refuses(Joined(no_data, {"--samples", "8"}), "--samples: goes with a --method that takes data");
  refuses(Joined(no_data, {"--seed", "1"}), "--seed: goes with a --method that takes data");
  refuses(Joined(no_data, {"--order", "one-pass"}), "--order: goes with a --method that takes inputs");
  refuses(Joined(no_data, {"--skip-evaluation", "--precision", "bf16"}), "--precision: goes with losses");
  refuses(Joined(no_data, {"--skip-evaluation", "--accept-changed-data"}), "--accept-changed-data: goes with losses");
  // These do.
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--method", "dsnot", "--score", "obs", "--dampening", "0.1"},
           {"--method", "random", "--skip-output-errors", "--seed", "1"},
           {"--method", "magnitude", "--samples", "8", "--order", "layer-by-layer"},
           {"--method", "magnitude", "--allocation", "owl", "--skip-output-errors", "--samples", "8"}}) {
    EXPECT_EQ(Prune("dense", "out", Joined({"--pattern", "2:4", "--overwrite"}, arguments)).code, 0) << arguments[1];
  }
}

/// pruning.json and the config say all that is needed to prune again.
TEST_F(PruneAppTest, TheRecordRepeatsTheRun) {
  TrainDense({"--set", "checkpoint.every_steps=10"});
  ASSERT_EQ(Run({"sensitivity", "--run", Path("dense"), "--out", Path("losses")}).code, 0);
  const std::vector<std::vector<std::string>> cases = {
      {"--method", "alps", "--pattern", "2:4", "--target", "0.6", "--iterations", "7", "--dampening", "0.3",
       "--checkpoint", "best", "--precision", "bf16"},
      {"--method", "sparsegpt", "--pattern", "3:5", "--block", "8", "--order", "one-pass", "--samples", "12", "--seed",
       "3", "--include", ".*c_.*", "--exclude", ".*1.*", "--multiple-of", "32"},
      {"--method", "dsnot", "--pattern", "unstructured:0.6:row", "--score", "obs", "--allocation", "owl", "--lambda",
       "0.3", "--max-sparsity", "0.8", "--min-sparsity", "0.4"},
      {"--method", "random", "--pattern", "unstructured:0.4", "--seed", "5", "--skip-output-errors", "--allocation",
       Path("losses/sensitivity.json")}};
  const std::vector<std::pair<std::string, std::string>> options = {{"method", "--method"},
                                                                    {"pattern", "--pattern"},
                                                                    {"score", "--score"},
                                                                    {"order", "--order"},
                                                                    {"dampening", "--dampening"},
                                                                    {"block", "--block"},
                                                                    {"iterations", "--iterations"},
                                                                    {"include", "--include"},
                                                                    {"exclude", "--exclude"},
                                                                    {"target", "--target"},
                                                                    {"min_sparsity", "--min-sparsity"},
                                                                    {"max_sparsity", "--max-sparsity"},
                                                                    {"lambda", "--lambda"},
                                                                    {"samples", "--samples"},
                                                                    {"seed", "--seed"},
                                                                    {"multiple_of", "--multiple-of"},
                                                                    {"checkpoint", "--checkpoint"}};
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i][1]);
    const std::string name = "pruned" + std::to_string(i);
    const Outcome outcome = Prune("dense", name, cases[i]);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const JsonDocument document = Report(name);
    const JsonValue report = document.root();
    const std::string config = ReadTextFile(dir_ / name / "config.pbtxt");
    std::vector<std::string> again;
    for (const auto& [field, option] : options) {
      const auto value = report.Find(field);
      if (!value) continue;
      again.insert(again.end(), {option, value->is_string() ? value->string() : value->ToText()});
      EXPECT_TRUE(field == "checkpoint" || config.find(" " + field + ": ") != std::string::npos) << field;
    }
    const std::string allocation = report.Find("allocation")->string();
    again.insert(again.end(),
                 {"--allocation", allocation == "sensitivity" ? report.Find("sensitivity")->string() : allocation});
    if (!report.Find("samples")) again.emplace_back("--skip-output-errors");
    again.insert(again.end(), {"--precision", report.Find("precision")->string()});
    EXPECT_TRUE(fs::exists(report.Find("weights")->string()));
    const Outcome repeated = Prune("dense", name + "r", again);
    ASSERT_EQ(repeated.code, 0) << repeated.err;
    EXPECT_EQ(Model(name), Model(name + "r"));
  }
  // A field that makes no difference is left out.
  const auto has = [&](const std::string& name, const char* field) {
    return Report(name).root().Find(field).has_value();
  };
  EXPECT_FALSE(has("pruned0", "block") || has("pruned0", "lambda") || has("pruned0", "score"));
  EXPECT_FALSE(has("pruned1", "iterations") || has("pruned1", "target") || has("pruned1", "checkpoint"));
  EXPECT_FALSE(has("pruned3", "dampening") || has("pruned3", "samples") || has("pruned3", "order"));
  EXPECT_THAT(Report("pruned0").root().Find("weights")->string(), HasSubstr("checkpoints/step-"));
}

/// What rounding to whole blocks or patterns does to the sparsity that was asked for.
TEST_F(PruneAppTest, SaysWhereAPatternIsTooCoarse) {
  TrainDense();
  const auto notes = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = Prune("dense", "out", Joined({"--method", "magnitude", "--overwrite"}, arguments));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(notes({"--pattern", "block:64x16:0.5"}), Not(HasSubstr("instead of")));
  EXPECT_THAT(notes({"--pattern", "block:128x128:0.4"}),
              AllOf(HasSubstr(std::string(kFc) + ": block:128x128:0.4 drops 0 of its 1 blocks, 0.00 instead of 0.40"),
                    HasSubstr("the 4 linears together lose 0.00 of their weights instead of 0.40")));
  EXPECT_THAT(ReadTextFile(dir_ / "out/pruning.json"), HasSubstr("drops 0 of its 1 blocks"));
  EXPECT_THAT(notes({"--pattern", "block:128x128:0.6"}),
              AllOf(HasSubstr("drops 1 of its 1 blocks, 1.00 instead of 0.60"), Not(HasSubstr("all of its weights"))));
  EXPECT_THAT(notes({"--pattern", "3:30"}), HasSubstr(": 3:30 drops 3456 of its 4096 weights, 0.84 instead of 0.90"));
  EXPECT_THAT(notes({"--pattern", "2:4", "--target", "0.3", "--include", ".*c_fc"}),
              HasSubstr("the 2 linears together lose 0.25 of their weights instead of 0.30"));
}

TEST_F(PruneAppTest, SaysWhichLinearsGetWhichPattern) {
  TrainDense();
  const Outcome mixed = Prune("dense", "mixed", {"--method", "magnitude", "--pattern", "2:4", "--target", "0.5625"});
  const std::string note =
      "--target 0.5625: of 4 linears, 1 get 1:4 (transformer.h.0.mlp.c_fc), 3 get 2:4 (transformer.h.0.mlp.c_proj, "
      "transformer.h.1.mlp.c_fc, transformer.h.1.mlp.c_proj), the first in the model first, as far as the target "
      "allows";
  EXPECT_THAT(mixed.err, HasSubstr(note));
  EXPECT_EQ(Report("mixed").root().Find("notes")->elements()[0].string(), note);
  EXPECT_THAT(Prune("dense", "owl", {"--method", "magnitude", "--pattern", "2:4", "--allocation", "owl"}).err,
              HasSubstr("--pattern 2:4: of 4 linears, 4 get 2:4 ("));
  const Outcome part = Prune("dense", "part", {"--method", "magnitude", "--pattern", "2:4", "--target", "0.125"});
  EXPECT_THAT(part.err, HasSubstr("2 get 3:4 (transformer.h.0.mlp.c_fc, transformer.h.0.mlp.c_proj), 2 stay dense"));
  EXPECT_THAT(part.out, HasSubstr("sparsity of the 4 linears: 0.1250"));
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

TEST_F(PruneAppTest, ColumnsOfTheTableStandBelowTheirNames) {
  TrainDense();
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--method", "magnitude", "--pattern", "unstructured:0.123456789", "--skip-output-errors"},
           {"--method", "wanda", "--pattern", "2:4", "--target", "0.125"}}) {
    const std::string out = Prune("dense", "out", Joined({"--overwrite"}, arguments)).out;
    const size_t width = out.find('\n');
    const std::string header = out.substr(0, width);
    for (size_t row = 1; row <= 4; ++row) {
      const std::string line = out.substr(row * (width + 1), width);
      EXPECT_EQ(line.find('\n'), std::string::npos) << out;
      for (const char* const name : {"shape", "pattern"}) EXPECT_EQ(line[header.find(name) - 1], ' ') << out;
      EXPECT_EQ(line[header.find("shape")], '[') << out;
      EXPECT_NE(line.back(), ' ') << out;
    }
  }
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
