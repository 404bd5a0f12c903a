// The command that lists patterns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "twofour/core/parallel.h"
#include "twofour/core/processor_name.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/program/cli/pattern_catalogue.h"

#include "tests/support/folder_snapshot.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

using test::FailsWith;
using test::Outcome;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PatternsAppTest : public test::AppRunner {
 protected:
  /// What --json prints, by patterns.
  std::map<std::string, nlohmann::json> Json(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"patterns", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::map<std::string, nlohmann::json> found;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line);
      found[json["pattern"]] = json;
    }
    return found;
  }
};

TEST_F(PatternsAppTest, TheCatalogueHasPatternsInTheirOwnSpelling) {
  for (const CataloguePattern& known : PatternCatalogue()) {
    EXPECT_EQ(sparse::ParsePruningPattern(known.text, "test").ToString(), known.text);
    EXPECT_FALSE(known.gpu.empty());
    EXPECT_THAT(std::string(known.note), HasSubstr("("));  // The source.
  }
}

TEST_F(PatternsAppTest, BytesAndFactsNeedNoMeasurement) {
  const Outcome outcome = Run({"patterns", "--shape", "128x64", "--skip-measurement"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("weight [128, 64]: dense it takes 32768 bytes in f32 and 16384 in bf16\n"),
                    HasSubstr(ProcessorName()), HasSubstr("nothing is measured\n"),
                    // 17/32 and 9/16, as docs/performance.md says.
                    ContainsRegex("\n2:4 +0.5000 +17408 \\(0.531\\) +9216 \\(0.562\\) +(masked dense)? +- "),
                    ContainsRegex("\nunstructured:0.9 +0.9000 +dense with zeros +dense with zeros +"),
                    Not(ContainsRegex("[0-9]x "))));

  const auto json = Json({"--shape", "128x64", "--skip-measurement"});
  EXPECT_EQ(json.size(), PatternCatalogue().size());
  EXPECT_EQ(json.at("64:2:16")["sparsity"], 0.875);
  EXPECT_EQ(json.at("2:4")["packed_bytes_f32"], 17408);
  EXPECT_EQ(json.at("2:4")["shape"], nlohmann::json({128, 64}));
  EXPECT_FALSE(json.at("2:4").contains("measured"));
  EXPECT_FALSE(json.at("block:16x16:0.5").contains("packed_bytes_f32"));
  EXPECT_EQ(json.at("unstructured:0.5")["dense_bytes_bf16"], 16384);
}

TEST_F(PatternsAppTest, MeasuresTrainingAndInferenceAndWritesNothing) {
  const std::vector<std::string> small = {"--shape", "64x96", "--rows", "16", "--threads", "1"};
  const auto json = Json(small);
  for (const auto& [pattern, line] : json) {
    SCOPED_TRACE(pattern);
    const nlohmann::json& measured = line["measured"];
    EXPECT_EQ(measured["processor"], ProcessorName());
    EXPECT_EQ(measured["threads"], 1);
    EXPECT_GT(measured["training_speedup"], 0.0);
    for (const std::string name : {"training_speedup", "inference_speedup_1_row", "inference_speedup_rows"}) {
      if (!measured.contains(name)) continue;
      EXPECT_GT(measured[name + "_range"][0], 0.0);
      EXPECT_LE(measured[name + "_range"][0], measured[name]);
      EXPECT_GE(measured[name + "_range"][1], measured[name]);
    }
    EXPECT_EQ(measured.contains("inference_speedup_1_row"), line.contains("packed_bytes_f32"));
    EXPECT_EQ(measured.contains("inference_speedup_rows"), line.contains("packed_bytes_f32"));
  }
  std::vector<std::string> lines = small;
  lines.insert(lines.begin(), "patterns");
  const Outcome outcome = Run(lines);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(
      outcome.out,
      AllOf(HasSubstr(", 1 threads, "), HasSubstr("with 16 rows, packing included"),
            ContainsRegex("\n2:4 [^\n]* [0-9.]+x \\([0-9.]+ to [0-9.]+\\)[^\n]* [0-9.]+x \\([0-9.]+ to [0-9.]+\\) +"
                          "[0-9.]+x \\([0-9.]+ to [0-9.]+\\) +sparse tensor cores \\[1\\]\n"),
            ContainsRegex("\nblock:16x16:0.5 [^\n]* [0-9.]+x \\([0-9.]+ to [0-9.]+\\) masked dense +- +- "
                          "+block-sparse kernels")));
  EXPECT_THAT(test::SnapshotOf(dir_ / ""), IsEmpty());
}

TEST_F(PatternsAppTest, SaysWhichPatternsAShapeCannotHave) {
  const std::vector<std::string> odd = {"--shape", "30x6", "--rows", "4", "--threads", "1"};
  const auto json = Json(odd);
  EXPECT_EQ(json.size(), PatternCatalogue().size());
  const std::map<std::string, std::string> reasons = {
      {"4:8", "it chooses within 1 x 8 entries, and the weight has 30 x 6"},
      {"transposable:2:4", "both sizes have to be multiples of 4"},
      {"64:2:8", "it chooses within 64 x 8 entries, and the weight has 30 x 6"},
      {"64:2:16", "it chooses within 64 x 16 entries, and the weight has 30 x 6"},
      {"rows:64:2:8", "it chooses within 64 x 8 entries, and the weight has 30 x 6"},
      {"block:16x16:0.5", "it chooses within 16 x 16 entries, and the weight has 30 x 6"}};
  for (const auto& [pattern, line] : json) {
    SCOPED_TRACE(pattern);
    const auto reason = reasons.find(pattern);
    EXPECT_EQ(line.value("does_not_fit", ""), reason == reasons.end() ? "" : reason->second);
    EXPECT_EQ(line.contains("measured"), reason == reasons.end());
    EXPECT_EQ(line.contains("forward_kernel"), reason == reasons.end());
  }
  std::vector<std::string> lines = odd;
  lines.insert(lines.begin(), "patterns");
  const Outcome outcome = Run(lines);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(ContainsRegex("\n4:8 +0.5000 +- +- +does not fit +- +- +none "),
                                 HasSubstr("\n4:8 does not fit: it chooses within 1 x 8 entries"),
                                 ContainsRegex("\n2:4 +0.5000 +[0-9]+ [^\n]*x \\(")));
  EXPECT_TRUE(Json({"--shape", "64x96", "--skip-measurement"}).at("64:2:16").value("does_not_fit", "").empty());
}

TEST_F(PatternsAppTest, RefusesOtherShapes) {
  for (const std::string shape :
       {"", "x", "64", "64x", "x64", "0x4", "-4x4", "4x4x4", "4.5x4", "16385x16385", "99999999999999999999x1"}) {
    SCOPED_TRACE(shape);
    EXPECT_THAT(
        Run({"patterns", "--shape", shape, "--skip-measurement"}),
        FailsWith(2, HasSubstr("--shape \"" + shape + "\": expected OUTxIN, such as 4096x1024, with at most ")));
  }
  EXPECT_THAT(Run({"patterns", "--shape", "4x1024", "--rows", "262145"}),
              FailsWith(2, HasSubstr("--rows 262145: expected at most 262144 with a weight of 4x1024")));
  EXPECT_THAT(Run({"patterns", "--rows", "0"}), FailsWith(2, HasSubstr("--rows: 0, expected")));
  EXPECT_THAT(Run({"patterns", "more"}), FailsWith(2, HasSubstr("more")));
  stop_.signal = SIGUSR1;
  stop_.stop = true;
  EXPECT_EQ(Run({"patterns", "--shape", "8x8"}).code, 128 + SIGUSR1);
}

}  // namespace
}  // namespace twofour::train
