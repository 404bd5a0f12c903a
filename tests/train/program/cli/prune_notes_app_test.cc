// What `trainer prune` tells and records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/prune_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using PruneNotesAppTest = test::PruneRunner;

/// Weights that the model has, with those of the MLPs changed.
class ChangedWeightsTest : public test::PruneRunner {
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
              FailsWith(2, HasSubstr("its evaluation loss is")));
  EXPECT_THAT(Prune("huge", "out", {"--method", "wanda", "--pattern", "2:4", "--skip-evaluation"}),
              FailsWith(2, HasSubstr("expected finite activations")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  EXPECT_THAT(Run({"sensitivity", "--run", Path("huge"), "--out", Path("s")}),
              FailsWith(2, HasSubstr("the evaluation loss is")));
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

TEST_F(PruneNotesAppTest, TellsWhichChosenLinearsStayDense) {
  TrainDense();
  const Outcome outcome = Prune("dense", "out", {"--method", "magnitude", "--pattern", "2:4", "--include", ".*"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("lm_head stays dense: its sizes are not both multiples of 16"),
                                 Not(HasSubstr("c_fc stays dense"))));
}

/// pruning.json and the config say all that is needed to prune again.
TEST_F(PruneNotesAppTest, TheRecordRepeatsTheRun) {
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
TEST_F(PruneNotesAppTest, SaysWhereAPatternIsTooCoarse) {
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

TEST_F(PruneNotesAppTest, SaysWhichLinearsGetWhichPattern) {
  TrainDense();
  const Outcome mixed = Prune("dense", "mixed", {"--method", "magnitude", "--pattern", "2:4", "--target", "0.5625"});
  const std::string note =
      "--target 0.5625: of 4 linears, 1 get 1:4 (transformer.h.0.mlp.c_proj), 3 get 2:4 (transformer.h.0.mlp.c_fc, "
      "transformer.h.1.mlp.c_fc, transformer.h.1.mlp.c_proj), spread over the model";
  EXPECT_THAT(mixed.err, HasSubstr(note));
  EXPECT_EQ(Report("mixed").root().Find("notes")->elements()[0].string(), note);
  EXPECT_THAT(Prune("dense", "owl", {"--method", "magnitude", "--pattern", "2:4", "--allocation", "owl"}).err,
              HasSubstr("--pattern 2:4: of 4 linears, 4 get 2:4 ("));
  const Outcome part = Prune("dense", "part", {"--method", "magnitude", "--pattern", "2:4", "--target", "0.125"});
  EXPECT_THAT(part.err, HasSubstr("2 get 3:4 (transformer.h.0.mlp.c_proj, transformer.h.1.mlp.c_proj), 2 stay dense"));
  EXPECT_THAT(part.out, HasSubstr("sparsity of the 4 linears: 0.1250"));
}

TEST_F(PruneNotesAppTest, ColumnsOfTheTableStandBelowTheirNames) {
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

}  // namespace
}  // namespace twofour::train
