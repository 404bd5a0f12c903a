#include "twofour/train/program/prune/sensitivity_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

#include "twofour/core/io/json.h"
#include "twofour/sparse/allocation/sensitivity_allocation.h"
#include "twofour/train/program/prune/pattern_kind.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Sensitivity Measured() {
  Sensitivity measured{.run = "/runs/a", .weights = "/runs/a/model.safetensors", .weights_checksum = {12, 0xabc}};
  measured.method = "wanda";
  measured.kind = ParsePatternKind("unstructured:row", "");
  measured.patterns = PatternsAt(measured.kind, {}, "");
  measured.dense_loss = 2;
  for (const auto& [name, losses] : {std::pair("a", std::array{2.5, 3.0, 4.0}), {"b", {1.75, 2.25, kNan}}}) {
    LinearSensitivity& linear = measured.linears.emplace_back();
    linear = {.name = name, .out_features = 8, .in_features = 4};
    for (size_t i = 0; i < losses.size(); ++i) {
      linear.levels.push_back(
          {.pattern = measured.patterns[i], .sparsity = measured.patterns[i].sparsity, .loss = losses[i]});
    }
  }
  measured.kept_dense = {{"head", 10, 4, "shares its weight with wte.weight"}};
  return measured;
}

std::vector<std::pair<double, double>> Points(const sparse::SensitivityCurve& curve) {
  std::vector<std::pair<double, double>> points;
  for (const auto& [sparsity, loss] : curve) points.emplace_back(sparsity, loss);
  return points;
}

TEST(SensitivityFileTest, GivesCurvesToTheAllocation) {
  const SensitivityCurves read = ParseSensitivity(ToJson(Measured()), "file");
  EXPECT_EQ(read.run, "/runs/a");
  EXPECT_EQ(read.method, "wanda");
  EXPECT_EQ(KindText(read.kind), "unstructured:row");
  ASSERT_EQ(read.layers.size(), 2u);
  EXPECT_EQ(read.layers[1].name, "b");
  EXPECT_EQ(read.layers[1].rows, 8);
  EXPECT_EQ(read.layers[1].cols, 4);
  EXPECT_THAT(Points(read.curves[0]), ElementsAre(std::pair(0.25, 0.5), std::pair(0.5, 1), std::pair(0.75, 2)));
  // Beyond a loss that is not finite, nothing is known.
  EXPECT_THAT(Points(read.curves[1]), ElementsAre(std::pair(0.25, -0.25), std::pair(0.5, 0.25)));
  sparse::PruningPattern pattern = read.kind;
  pattern.sparsity = 0.5;
  const sparse::Allocation allocation = sparse::AllocateBySensitivity(read.layers, read.curves, {.pattern = pattern});
  EXPECT_NEAR(allocation.sparsity, 0.5, 0.01);
}

TEST(SensitivityFileTest, SaysEverythingElse) {
  const JsonDocument document = JsonDocument::Parse(ToJson(Measured()), "file");
  const JsonValue json = document.root();
  EXPECT_EQ(json.Find("weights")->Find("crc32c")->string(), "00000abc");
  EXPECT_EQ(json.Find("levels")->ToText(), "[0.25,0.5,0.75]");
  const JsonValue b = json.Find("linears")->elements()[1];
  EXPECT_EQ(b.Find("points")->elements()[0].ToText(),
            R"({"increase":-0.25,"level":0.25,"loss":1.75,"pattern":"unstructured:0.25:row","sparsity":0.25})");
  EXPECT_TRUE(b.Find("points")->elements()[2].Find("loss")->is_null());
  EXPECT_EQ(json.Find("kept_dense")->ToText(), R"([{"name":"head","reason":"shares its weight with wte.weight"}])");
}

TEST(SensitivityFileTest, CurvesOfTheLayersAskedFor) {
  const SensitivityCurves read = ParseSensitivity(ToJson(Measured()), "file");
  const std::vector<sparse::LayerShape> reversed = {{"b", 8, 4}, {"a", 8, 4}};
  const auto curves = CurvesOf(read, reversed);
  EXPECT_EQ(Points(curves[0]), Points(read.curves[1]));
  EXPECT_EQ(Points(curves[1]), Points(read.curves[0]));
  const std::vector<sparse::LayerShape> other = {{"c", 8, 4}}, larger = {{"a", 8, 5}};
  EXPECT_ERROR(CurvesOf(read, other), ErrorKind::kInvalidInput, HasSubstr("file: has no linear c"));
  EXPECT_ERROR(CurvesOf(read, larger), ErrorKind::kInvalidInput, HasSubstr("a is [8, 4], expected [8, 5]"));
}

TEST(SensitivityFileTest, ReadsFiles) {
  const test::TempDir dir;
  test::WriteTextFile(dir / "s.json", ToJson(Measured()));
  EXPECT_EQ(LoadSensitivity(FileSystem::Default(), dir / "s.json").layers.size(), 2u);
  EXPECT_ERROR(LoadSensitivity(FileSystem::Default(), dir / "none"), ErrorKind::kInvalidInput, HasSubstr("none"));
}

TEST(SensitivityFileTest, FilesFromOutsideAreNotTrusted) {
  const auto refuses = [](const std::string& text, const std::string& message) {
    EXPECT_ERROR(ParseSensitivity(text, "file"), ErrorKind::kInvalidInput,
                 ::testing::AllOf(::testing::StartsWith("file: "), HasSubstr(message)));
  };
  const auto with = [](const std::string& linears, const std::string& pattern = "\"unstructured\"") {
    return "{\"pattern\":" + pattern + ",\"dense_loss\":1,\"linears\":" + linears + "}";
  };
  const auto linear = [&](const std::string& points, const std::string& name = "a", const std::string& rows = "4") {
    return "{\"name\":\"" + name + "\",\"out_features\":" + rows + ",\"in_features\":4,\"points\":" + points + "}";
  };
  const std::string point = R"([{"level":0.5,"loss":2}])";
  EXPECT_NO_THROW(ParseSensitivity(with("[" + linear(point) + "]"), "file"));
  refuses("", "not valid JSON");
  refuses("{", "not valid JSON");
  refuses("[]", "expected an object");
  refuses("{}", "no pattern");
  refuses(std::string(100'000, '['), "nested too deeply");
  refuses(with("[]"), "linears: none");
  refuses(with("{}"), "linears: expected a list");
  refuses(with("[1]"), "linear 0: expected an object");
  refuses(with("[" + linear(point) + "]", "1"), "pattern: expected text");
  refuses(with("[" + linear(point) + "]", "\"half\\n\""), "pattern: \"half\\n\", expected a pattern without");
  refuses(with("[" + linear(point) + "]", "\"n:99\""), "m is 99, expected 2 to 32");
  refuses(with("[" + linear(point) + "," + linear(point) + "]"), "\"a\": is there twice");
  refuses(with("[" + linear(point, std::string(1025, 'a')) + "]"), "a name of 1025 bytes");
  for (const std::string rows : {"0", "-1", "1.5", "\"4\"", "1048577", "99999999999999999999"}) {
    refuses(with("[" + linear(point, "a", rows) + "]"), "out_features: ");
  }
  refuses(with("[" + linear("[]") + "]"), "\"a\"");
  refuses(with("[" + linear("4") + "]"), "points: expected a list");
  refuses(with("[" + linear("[4]") + "]"), "point 0: expected an object");
  refuses(with("[" + linear(R"([{"level":0.5}])") + "]"), "no loss");
  refuses(with("[" + linear(R"([{"loss":0.5}])") + "]"), "no level");
  refuses(with("[" + linear(R"([{"level":0.5,"loss":null}])") + "]"), "the loss of its lowest level is not finite");
  refuses(with("[" + linear(R"([{"level":0.5,"loss":"2"}])") + "]"), "loss: expected a number");
  refuses(with("[" + linear(R"([{"level":0,"loss":2}])") + "]"), "sparsity");
  refuses(with("[" + linear(R"([{"level":1,"loss":2}])") + "]"), "sparsity");
  refuses(with("[" + linear(R"([{"level":0.5,"loss":2},{"level":0.5,"loss":2}])") + "]"), "sparsity");
  refuses(
      R"({"pattern":"unstructured","dense_loss":-1e308,"linears":[)" + linear(R"([{"level":0.5,"loss":1e308}])") + "]}",
      "loss");
  refuses(R"({"pattern":"unstructured","dense_loss":1e999,"linears":[]})", "out of range");
  refuses(R"({"pattern":"unstructured","dense_loss":null,"linears":[]})", "dense_loss: expected a number");
}

}  // namespace
}  // namespace twofour::train
