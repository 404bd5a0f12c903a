// What `trainer prune` refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/train/program/cli/prune_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using ::testing::HasSubstr;

using PruneErrorsAppTest = test::PruneRunner;

TEST_F(PruneErrorsAppTest, SaysWhatIsWrongAndWritesNothing) {
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

TEST_F(PruneErrorsAppTest, RefusesOptionsThatMakeNoDifference) {
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

}  // namespace
}  // namespace twofour::train
