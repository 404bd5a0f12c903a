// Training with `one_shot`, and `trainer prune --rounds`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"

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

constexpr const char* kMask = "transformer.h.0.mlp.c_fc.weight_mask";

class OneShotAppTest : public test::TextRunner {
 protected:
  OneShotAppTest() : TextRunner("depth: 2 width: 32 heads: 2 sequence_length: 16", 20) {
    const Outcome outcome = TrainOnText("dense");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }

  /// Prunes `dense` by a config and trains it for six steps.
  Outcome TrainPruned(const std::string& name, const std::string& one_shot, const std::string& pattern,
                      const std::vector<std::string>& more = {}) {
    return TrainOnText(name, Joined(Set({"initial_weights=" + Path("dense/model.safetensors"), "one_shot=" + one_shot,
                                         "sparsity={enabled: true algorithm: PATTERN pattern: \"" + pattern + "\"}",
                                         "training.steps=6", "evaluation.every_steps=3"}),
                                    more));
  }
  Tensor MaskIn(const std::string& file) { return *LoadSafetensors(FileSystem::Default(), dir_ / file).Find(kMask); }
  /// The share that the mask in a file drops.
  double Sparsity(const std::string& file) {
    const Tensor mask = MaskIn(file);
    int64_t dropped = 0;
    for (int64_t i = 0; i < mask.numel(); ++i) dropped += mask.data<bool>()[i] ? 0 : 1;
    return static_cast<double>(dropped) / static_cast<double>(mask.numel());
  }
  double FirstLoss(const std::string& run) {
    const std::string text = ReadTextFile(dir_ / run / "metrics.jsonl");
    const JsonDocument line = JsonDocument::Parse(text.substr(0, text.find('\n')), "metrics.jsonl");
    EXPECT_EQ(line.root().Find("step")->number(), 0);
    return line.root().Find("loss")->number();
  }
};

TEST_F(OneShotAppTest, PrunesAsTheCommandDoesAndTrainsUnderTheMasks) {
  const Outcome pruned = Run({"prune", "--run", Path("dense"), "--out", Path("pruned"), "--method", "sparsegpt",
                              "--pattern", "2:4", "--samples", "16"});
  ASSERT_EQ(pruned.code, 0) << pruned.err;
  const Outcome trained = TrainPruned("trained", "{method: \"sparsegpt\" samples: 16}", "2:4");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("2:4 masks, found by one_shot"));
  EXPECT_THAT(trained.out, HasSubstr("pruned: sparsity of the 4 linears: 0.5000"));
  const JsonDocument report = JsonDocument::Parse(ReadTextFile(dir_ / "pruned/pruning.json"), "pruning.json");
  EXPECT_NEAR(FirstLoss("trained"), report.root().Find("loss_after")->number(), 1e-5);
  ExpectBitEqual(MaskIn("trained/model.safetensors"), MaskIn("pruned/model.safetensors"));
  EXPECT_NE(Model("trained"), Model("pruned"));
  EXPECT_EQ(Run({"evaluate", "--run", Path("trained")}).code, 0);
  EXPECT_THAT(TrainPruned("coarse", "{method: \"magnitude\"}", "block:128x128:0.3").err,
              HasSubstr("drops 0 of its 1 blocks, 0.00 instead of 0.30"));
  EXPECT_EQ(Run({"export", "--run", Path("trained"), "--format", "packed", "--output", Path("p.safetensors")}).code, 0);
}

TEST_F(OneShotAppTest, RoundsAreTheSameAfterAnInterruption) {
  const std::string rounds = "{method: \"wanda\" samples: 8 rounds: 2 round_steps: 3}";
  const std::vector<std::string> saves = {"--set", "checkpoint.every_steps=3"};
  const Outcome whole = TrainPruned("whole", rounds, "1:3", saves);
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.out, AllOf(HasSubstr("pruned, round 1 of 2"), HasSubstr("pruned, round 2 of 2")));
  // The checkpoint is of the moment before the second round.
  EXPECT_NEAR(Sparsity("whole/checkpoints/step-3/model.safetensors"), 1.0 / 3, 0.03);
  EXPECT_NEAR(Sparsity("whole/model.safetensors"), 2.0 / 3, 0.03);
  const Outcome again = Run({"--resume", Path("whole/checkpoints/step-3"), "--out", Path("again")});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, AllOf(Not(HasSubstr("round 1 of 2")), HasSubstr("pruned, round 2 of 2")));
  EXPECT_EQ(Model("again"), Model("whole"));
  ASSERT_EQ(TrainPruned("threads", rounds, "1:3", {"--threads", "3"}).code, 0);
  EXPECT_EQ(Model("threads"), Model("whole"));
}

TEST_F(OneShotAppTest, ARunKeepsItsRounds) {
  ASSERT_EQ(TrainPruned("run", "{method: \"wanda\" samples: 8 rounds: 2 round_steps: 3}", "1:3",
                        Set({"checkpoint.every_steps=3"}))
                .code,
            0);
  const auto refuses = [&](const std::string& change, const std::string& message) {
    for (const std::string step : {"3", "6"}) {
      EXPECT_THAT(Run(Joined({"--resume", Path("run/checkpoints/step-" + step), "--out", Path("on")},
                             Set({"training.steps=9", change}))),
                  FailsWith(2, AllOf(HasSubstr(message), HasSubstr("keeps its rounds"))));
    }
    EXPECT_FALSE(fs::exists(dir_ / "on"));
  };
  // Step 3 would be none of a round, so that the last one would never be.
  refuses("one_shot.round_steps=2", "one_shot.round_steps: 3 -> 2");
  EXPECT_EQ(
      Run(Joined({"--resume", Path("run"), "--dry-run"}, Set({"training.steps=9", "sparsity.fused_mlp=false"}))).code,
      0);
  EXPECT_THAT(Run(Joined({"--resume", Path("run"), "--dry-run"}, Set({"training.steps=9", "initial_masks=true"}))),
              FailsWith(2, HasSubstr("initial_masks: true, but the run began with false")));
  EXPECT_THAT(Run(Joined({"--resume", Path("dense"), "--dry-run"}, Set({"training.steps=99", "one_shot.method=wanda",
                                                                        "sparsity={enabled: true algorithm: PATTERN "
                                                                        "pattern: '2:4'}"}))),
              FailsWith(2, HasSubstr("initial_weights: none, expected")));
  refuses("sparsity.pattern=2:4", "sparsity.pattern: \"1:3\" -> \"2:4\"");
  refuses("one_shot.samples=16", "one_shot.samples: 8 -> 16");
  const Outcome longer = Run(Joined({"--resume", Path("run"), "--out", Path("on")}, Set({"training.steps=9"})));
  EXPECT_EQ(longer.code, 0) << longer.err;
}

TEST_F(OneShotAppTest, TheBestStepIsAsSparseAsTheLast) {
  const Outcome outcome =
      TrainPruned("run", "{method: \"magnitude\" rounds: 2 round_steps: 4}", "unstructured:0.97",
                  Set({"evaluation.every_steps=1", "logging.every_steps=1", "checkpoint.final=BEST"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NEAR(Sparsity("run/model.safetensors"), 0.97, 0.001);
  const Outcome report = Run({"report", Path("run"), "--out", Path("report.html")});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_THAT(ReadTextFile(dir_ / "report.html"),
              AllOf(HasSubstr("Pruned runs"), HasSubstr("magnitude, 2 rounds"), HasSubstr("<td>0.97")));
}

TEST_F(OneShotAppTest, TheBestStepOfADenseRunIsNoneOfTheSparseOneItBecomes) {
  const Outcome outcome = Run(
      Joined({"--resume", Path("dense"), "--out", Path("sparse"), "--sparse"},
             Set({"training.steps=24", "evaluation.every_steps=2", "checkpoint.final=BEST", "learning_rate.lr=0.1"})));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / "sparse/model.safetensors");
  EXPECT_GT(std::stoi(model.metadata.at("step")), 20);
}

TEST_F(OneShotAppTest, AResumeWithAnotherPlanFindsItsMasks) {
  const auto resume = [&](const std::string& run, const std::vector<std::string>& settings) {
    const Outcome outcome = Run(Joined({"--resume", Path(run), "--out", Path("on"), "--overwrite"}, Set(settings)));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Sparsity("on/model.safetensors");
  };
  const auto train = [&](const std::string& name, const std::string& sparsity) {
    const Outcome outcome = TrainOnText(name, Set({"sparsity={enabled: true " + sparsity + " interval: 50}",
                                                   "training.steps=12", "checkpoint.every_steps=6"}));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  };
  train("steps", "schedule { shape: LINEAR end { fraction: 0.75 } }");
  EXPECT_EQ(resume("steps/checkpoints/step-6", {"training.steps=8"}), 0.5);
  train("to", "schedule { shape: LINEAR end { step: 6 } to: 0.5 }");
  EXPECT_EQ(resume("to", {"training.steps=14", "sparsity.schedule.to=1"}), 0.5);
  train("loose", "algorithm: PATTERN pattern: 'unstructured:0.9'");
  EXPECT_NEAR(resume("loose", {"training.steps=14", "sparsity.pattern=unstructured:0.5"}), 0.5, 1e-9);
}

TEST_F(OneShotAppTest, RoundsAskForWhatPruningOnceAsksFor) {
  const auto prune = [&](const std::string& run, const std::vector<std::string>& more) {
    return Run(Joined({"prune", "--run", Path(run), "--out", Path("out"), "--method", "magnitude", "--round-steps", "2",
                       "--overwrite", "--pattern", "unstructured:0.6"},
                      more));
  };
  ASSERT_EQ(prune("dense", {"--precision", "bf16"}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "out/config.pbtxt"), HasSubstr("precision: BF16"));
  // A run that is sparse in part, of which other linears are to be pruned, too.
  ASSERT_EQ(Run({"prune", "--run", Path("dense"), "--out", Path("part"), "--method", "magnitude", "--pattern", "2:4",
                 "--include", ".*c_fc"})
                .code,
            0);
  const Outcome all = prune("part", {"--include", ".*mlp.*"});
  ASSERT_EQ(all.code, 0) << all.err;
  EXPECT_NEAR(Sparsity("out/model.safetensors"), 0.6, 1e-3);
  // Weights that were saved as zeros.
  ASSERT_EQ(TrainPruned("zeros", "{method: \"magnitude\"}", "2:4", Set({"checkpoint.save_pruned=true"})).code, 0);
  EXPECT_EQ(prune("zeros", {}).code, 0);

  ASSERT_EQ(Run({"finetune", "--from", Path("dense"), "--config", Path("dense/config.pbtxt"), "--out", Path("lora"),
                 "--set", "finetune.rank=2", "--set", "training.steps=20", "--set", "checkpoint.every_steps=15",
                 "--set", "sparsity.enabled=true"})
                .code,
            0);

  fs::remove_all(dir_ / "out");
  const auto refuses = [&](const std::string& run, const std::vector<std::string>& more, const std::string& message) {
    const Outcome outcome = prune(run, more);
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  };
  refuses("dense", {"--allocation", "owl"}, "--allocation owl: does not go with --round-steps");
  refuses("part", {"--include", ".*c_proj"},
          "transformer.h.0.mlp.c_fc: the run has pruned it, and it would become dense");
  refuses("lora/checkpoints/step-15", {}, "its weights have adapters that are not merged");
  refuses("dense", {"--lr", "-1"}, "--lr: -1, expected at least 0");
  test::WriteTextFile(dir_ / "text.txt", ReadTextFile(dir_ / "text.txt") + ReadTextFile(dir_ / "text.txt"));
  refuses("dense", {}, "the data is not what the run began with");
  const Outcome accepted = prune("dense", {"--accept-changed-data"});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
}

TEST_F(OneShotAppTest, TheCommandPrunesInRounds) {
  const auto prune = [&](const std::string& out, const std::vector<std::string>& more) {
    return Run(Joined({"prune", "--run", Path("dense"), "--out", Path(out), "--method", "magnitude"}, more));
  };
  const Outcome outcome =
      prune("out", {"--pattern", "unstructured:0.8", "--rounds", "2", "--round-steps", "3", "--lr", "0.003"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("round 1 of 2: sparsity of the 4 linears: 0.7000"),
                                 HasSubstr("round 2 of 2: sparsity of the 4 linears: 0.8000"), HasSubstr("step 6/6")));
  EXPECT_THAT(ReadTextFile(dir_ / "out/config.pbtxt"), AllOf(HasSubstr("lr: 0.003"), HasSubstr("round_steps: 3")));
  // Pruned once and trained; then the sparse run more.
  ASSERT_EQ(prune("once", {"--pattern", "2:4", "--round-steps", "2"}).code, 0);
  const Outcome more = Run({"prune", "--run", Path("once"), "--out", Path("more"), "--method", "magnitude", "--pattern",
                            "1:4", "--round-steps", "2"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_NEAR(Sparsity("more/model.safetensors"), 0.75, 1e-12);

  EXPECT_THAT(Run({"prune", "--run", Path("once"), "--out", Path("bad"), "--method", "magnitude", "--pattern",
                   "unstructured:0.5", "--rounds", "2", "--round-steps", "2"}),
              FailsWith(2, AllOf(HasSubstr("one_shot: round 1: unstructured:0.4375 would keep"),
                                 HasSubstr("whose mask keeps 2048 already"))));
  EXPECT_FALSE(fs::exists(dir_ / "bad"));

  const auto refuses = [&](const std::vector<std::string>& arguments, const std::string& message) {
    EXPECT_THAT(prune("bad", arguments), FailsWith(2, HasSubstr(message)));
    EXPECT_FALSE(fs::exists(dir_ / "bad"));
  };
  refuses({"--pattern", "2:4", "--rounds", "2"}, "--round-steps: 0, expected at least 1 for 2 rounds");
  refuses({"--pattern", "2:4", "--rounds", "3", "--round-steps", "1"}, "--rounds: 3, expected at most 2 for 2:4");
  refuses({"--pattern", "2:4", "--round-steps", "1", "--include", "nope"}, "linears is to be pruned");
  refuses({"--pattern", "2:4", "--lr", "0.1"}, "--lr: goes with --round-steps");
  refuses({"--pattern", "2:4", "--rounds", "2", "--round-steps", "1", "--target", "0.4"},
          "--target 0.4: does not go with --round-steps");
}

TEST_F(OneShotAppTest, WrongConfigs) {
  const auto refuses = [&](const std::string& one_shot, const std::vector<std::string>& more,
                           const std::string& message) {
    EXPECT_THAT(TrainPruned("bad", one_shot, "2:4", more), FailsWith(2, HasSubstr(message)));
    EXPECT_FALSE(fs::exists(dir_ / "bad"));
  };
  const std::string wanda = "{method: \"wanda\"}";
  refuses("{}", {}, "one_shot.method: '', expected sparsegpt, alps, dsnot, or a score alone: ");
  refuses("{method: \"best\"}", {}, "one_shot.method: 'best', expected sparsegpt");
  refuses("{method: \"dsnot\" score: \"best\"}", {}, "one_shot.score: 'best', expected one of magnitude");
  refuses("{method: \"wanda\" order: \"any\"}", {}, "one_shot.order: 'any', expected one-pass or layer-by-layer");
  refuses("{method: \"wanda\" block: 64}", {}, "one_shot.block: 64, expected 128 unless the method is sparsegpt");
  refuses("{method: \"wanda\" round_steps: 2}", {}, "one_shot.round_steps: 2, expected 1 for one round");
  refuses("{method: \"wanda\" samples: 0}", {}, "one_shot.samples: 0, expected 1 to");
  refuses("{method: \"wanda\" samples: 100000}", {}, "one_shot.samples: 100000, expected at most");
  refuses("{method: \"wanda\" rounds: 3}", {}, "one_shot.rounds: 3, expected at most 2 for 2:4");
  refuses("{method: \"wanda\" rounds: 2 round_steps: 6}", {}, "one_shot.rounds: 2, expected rounds that begin within");
  refuses("{method: \"alps\" dampening: -1}", {}, "one_shot.dampening: -1, expected 0 to 1000");
  refuses(wanda, Set({"sparsity.layers={name: 'nope' pattern: '2:4'}"}),
          "config: sparsity.layers: nope: there is no such linear");
  refuses("{method: \"magnitude\" rounds: 2}", Set({"sparsity.pattern=transposable:2:4"}),
          "one_shot.rounds: 2, expected 1 for transposable:2:4, of which there is no denser one");
  refuses(wanda, Set({"initial_weights="}), "initial_weights: none, expected a file of trained weights to prune");
  refuses(wanda, Set({"sparsity.algorithm=EXACT", "sparsity.pattern="}), "sparsity.algorithm: EXACT, expected PATTERN");
  refuses(wanda, Set({"sparsity.score=RIA"}), "sparsity.score: RIA, expected MAGNITUDE beside one_shot");
  refuses(wanda, Set({"sparsity.freeze.step=0"}), "sparsity.freeze: given, expected none beside one_shot");
  refuses(wanda, Set({"sparsity.interval=5"}), "sparsity.interval: 5, expected 1 beside one_shot");
  refuses(wanda, Set({"sparsity.enabled=false"}), "sparsity.enabled: false, expected true beside one_shot");
}

}  // namespace
}  // namespace twofour::train
