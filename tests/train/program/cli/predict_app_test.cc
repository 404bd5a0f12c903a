#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/train/data/csv_reader.h"

#include "tests/support/text_file.h"
#include "tests/train/data/idx_test_data.h"
#include "tests/train/program/cli/table_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Rows = std::vector<std::vector<std::string>>;

class PredictAppTest : public test::TableRunner {
 protected:
  Outcome Predict(const std::string& run, const std::string& input, const std::vector<std::string>& more = {}) {
    return Run(Joined({"predict", "--run", Path(run), "--input", input == "-" ? input : Path(input)}, more));
  }

  static Rows Parse(const std::string& text) {
    CsvReader reader(text, ',', "output");
    Rows rows;
    for (CsvRow row; reader.Next(row);) rows.push_back(row.cells);
    return rows;
  }
};

/// The logits of a row of the table: three linears with ReLU^2 between them, in plain loops and float64. Weights and
/// masks are read from the files alone.
std::vector<double> LogitsByHand(const SafetensorsFile& model, const nlohmann::json& data,
                                 const std::vector<double>& row) {
  std::vector<double> values;
  for (size_t j = 0; j < row.size(); ++j) {
    values.push_back((row[j] - data["feature_mean"][j].get<double>()) / data["feature_std"][j].get<double>());
  }
  for (int layer = 0; layer < 3; ++layer) {
    const std::string name = fmt::format("layers.{}.", layer);
    const Tensor& weight = *model.Find(name + "weight");
    const Tensor* const mask = model.Find(name + "weight_mask");
    std::vector<double> next;
    for (int64_t out = 0; out < weight.dim(0); ++out) {
      double sum = model.Find(name + "bias")->data<float>()[out];
      for (int64_t in = 0; in < weight.dim(1); ++in) {
        const int64_t at = out * weight.dim(1) + in;
        if (mask == nullptr || mask->data<bool>()[at])
          sum += weight.data<float>()[at] * values[static_cast<size_t>(in)];
      }
      next.push_back(layer == 2 ? sum : std::pow(std::max(sum, 0.0), 2));
    }
    values = next;
  }
  return values;
}

TEST_F(PredictAppTest, EqualsAForwardPassByHand) {
  for (const char* sparse : {"false", "true"}) {
    ASSERT_EQ(Train("run", {std::string("sparsity.enabled=") + sparse}, {"--overwrite"}).code, 0);
    const Outcome outcome = Predict("run", "t.csv", {"--probabilities"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Rows rows = Parse(outcome.out);
    ASSERT_EQ(rows.size(), 201U);
    EXPECT_THAT(rows[0], ElementsAre("prediction", "probability_hi,gh", "probability_low", "probability_mid"));
    const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors");
    EXPECT_EQ(model.Find("layers.1.weight_mask") != nullptr, std::string(sparse) == "true");
    const auto data = nlohmann::json::parse(ReadTextFile(dir_ / "run/data.json"));
    for (int i = 0; i < 200; ++i) {
      std::vector<double> features;
      for (int column = 0; column < 16; ++column) features.push_back(Value(i, column));
      const std::vector<double> logits = LogitsByHand(model, data, features);
      double sum = 0;
      for (const double logit : logits) sum += std::exp(logit);
      size_t best = 0;
      for (size_t c = 0; c < 3; ++c) {
        const double probability = std::stod(rows[static_cast<size_t>(i) + 1][c + 1]);
        EXPECT_NEAR(probability, std::exp(logits[c]) / sum, 1e-5) << "row " << i;
        if (logits[c] > logits[best]) best = c;
      }
      EXPECT_EQ(rows[static_cast<size_t>(i) + 1][0], data["class_names"][best]) << "row " << i;
    }
  }
}

TEST_F(PredictAppTest, TellsAsManyRightAsEvaluateDoes) {
  ASSERT_EQ(Train("run", {"sparsity.enabled=true"}).code, 0);
  const Outcome evaluated = Run({"evaluate", "--run", Path("run"), "--data", Path("t.csv"), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const Rows rows = Parse(Predict("run", "t.csv").out);
  int right = 0;
  for (int i = 0; i < 200; ++i) right += rows[static_cast<size_t>(i) + 1][0] == Class(i);
  EXPECT_GT(right, 100);
  EXPECT_EQ(nlohmann::json::parse(evaluated.out)["accuracy"].get<double>(), right / 200.0);
}

TEST_F(PredictAppTest, ColumnsMayBeInAnyOrderAndLackTheLabel) {
  ASSERT_EQ(Train("run").code, 0);
  const std::string expected = Predict("run", "t.csv").out;
  std::string reordered = "id";
  for (int column = 15; column >= 0; --column) reordered += fmt::format(",f{}", column);
  reordered += "\n";
  for (int i = 0; i < 200; ++i) {
    reordered += fmt::format("\"n,{}\"", i);
    for (int column = 15; column >= 0; --column) reordered += fmt::format(",{}", Value(i, column));
    reordered += "\n";
  }
  WriteTextFile(dir_ / "r.csv", reordered);
  EXPECT_THAT(Predict("run", "r.csv"),
              FailsWith(2, HasSubstr("r.csv: line 1: column \"id\", which the model was not made with")));
  const Outcome left_out = Predict("run", "r.csv", {"--ignore-extra"});
  EXPECT_EQ(left_out.out, expected);
  EXPECT_THAT(left_out.err, HasSubstr("column \"id\" left out"));
  const Rows kept = Parse(Predict("run", "r.csv", {"--keep", "id"}).out), plain = Parse(expected);
  ASSERT_EQ(kept.size(), 201U);
  EXPECT_THAT(kept[0], ElementsAre("id", "prediction"));
  for (size_t i = 1; i < kept.size(); ++i) EXPECT_THAT(kept[i], ElementsAre(fmt::format("n,{}", i - 1), plain[i][0]));
}

TEST_F(PredictAppTest, ManyRowsAreStreamedToAFileThatAppearsWhole) {
  ASSERT_EQ(Train("run", {"sparsity.enabled=true"}).code, 0);
  WriteTextFile(dir_ / "many.csv", Table(0, 3000));
  WriteTextFile(dir_ / "out.csv", "before");
  const Outcome outcome = Predict("run", "many.csv", {"--output", Path("out.csv")});
  EXPECT_EQ(outcome.out, Path("out.csv") + ": 3000 predictions, weights from " + Path("run/model.safetensors") + "\n");
  EXPECT_EQ(ReadTextFile(dir_ / "out.csv"), Predict("run", "many.csv").out);
  // A fault in the last row: the output of before stays, and nothing is left beside it.
  const auto files = std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator());
  const std::string kept = ReadTextFile(dir_ / "out.csv");
  WriteTextFile(dir_ / "many.csv", Table(0, 3000) + "1,2,3\n");
  EXPECT_THAT(Predict("run", "many.csv", {"--output", Path("out.csv")}),
              FailsWith(2, HasSubstr("many.csv: line 3002: 3 columns, line 1 has 17")));
  EXPECT_EQ(ReadTextFile(dir_ / "out.csv"), kept);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), files);
}

TEST_F(PredictAppTest, ReadsTheStandardInput) {
  ASSERT_EQ(Train("run").code, 0);
  std::istringstream input(Table());
  std::streambuf* const before = std::cin.rdbuf(input.rdbuf());
  const Outcome outcome = Predict("run", "-");
  std::cin.rdbuf(before);
  std::cin.clear();
  EXPECT_EQ(outcome.out, Predict("run", "t.csv").out);
  EXPECT_THAT(outcome.out, StartsWith("prediction\n"));
  std::istringstream zipped(Gzip(Table()));
  std::cin.rdbuf(zipped.rdbuf());
  EXPECT_EQ(Predict("run", "-").out, outcome.out);
  std::cin.rdbuf(before);
  std::cin.clear();
  WriteTextFile(dir_ / "t.csv.gz", Gzip(Table()));
  EXPECT_EQ(Predict("run", "t.csv.gz").out, outcome.out);
}

TEST_F(PredictAppTest, WithoutNamesTheLabelMustBeOne) {
  std::string table = Table(), features;
  table.erase(0, table.find('\n') + 1);
  WriteTextFile(dir_ / "t.csv", table);
  ASSERT_EQ(Train("run", {"data.csv.label=8", "data.csv.header=NO"}).code, 0);
  EXPECT_EQ(Parse(Predict("run", "t.csv").out).size(), 201U);
  // An id in front and no label: as many columns.
  for (int column = 0; column < 17; ++column) features += column == 0 ? "1" : ",0.5";
  WriteTextFile(dir_ / "id.csv", features + "\n");
  const Outcome outcome = Predict("run", "id.csv");
  EXPECT_THAT(outcome, FailsWith(2, HasSubstr("id.csv: line 1: \"0.5\" is in the place of the label")));
  EXPECT_EQ(outcome.out, "");
  WriteTextFile(dir_ / "names.csv", Table());
  EXPECT_THAT(Predict("run", "names.csv"),
              FailsWith(2, HasSubstr("the model was made with a table that names no columns")));
}

TEST_F(PredictAppTest, TheOutputHasEachNameOnce) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_THAT(Predict("run", "t.csv", {"--keep", "f0", "--keep", "f0"}),
              FailsWith(2, HasSubstr("two columns named \"f0\"")));
  EXPECT_THAT(Predict("run", "t.csv", {"--output", Path("run/model.safetensors")}),
              FailsWith(2, HasSubstr("is a file of the run in")));
}

TEST_F(PredictAppTest, SaysWhatIsWrong) {
  ASSERT_EQ(Train("run").code, 0);
  std::string word = Table();
  word.replace(word.find("\n") + 1, word.find(',', word.find("\n")) - word.find("\n") - 1, "many");
  WriteTextFile(dir_ / "word.csv", word);
  EXPECT_THAT(Predict("run", "word.csv"),
              FailsWith(2, HasSubstr("word.csv: line 2: column \"f0\": \"many\" is not a finite number")));
  EXPECT_THAT(Predict("run", "none.csv"), FailsWith(2, HasSubstr("none.csv")));
  WriteTextFile(dir_ / "empty.csv", "");
  EXPECT_THAT(Predict("run", "empty.csv"), FailsWith(2, HasSubstr("is empty, expected a table")));
  EXPECT_THAT(Predict("run", "t.csv", {"--output", Path("t.csv")}),
              FailsWith(2, HasSubstr("which is needed and would be lost")));
  EXPECT_THAT(Predict("run", "t.csv", {"--output", "/dev/null"}), FailsWith(2, HasSubstr("no regular file")));
  EXPECT_THAT(Predict("run", "t.csv", {"--keep", "id"}), FailsWith(2, HasSubstr("no column \"id\"")));
  fs::remove(dir_ / "run/data.json");
  EXPECT_THAT(Predict("run", "t.csv"), FailsWith(2, HasSubstr("data.json: is missing")));
}

TEST_F(PredictAppTest, RunsWithoutFilesAndLanguageModelsAreRefused) {
  WriteTextFile(dir_ / "glyphs.pbtxt", std::string(kConfig) + "data { glyphs { train_size: 64 eval_size: 32 } }");
  ASSERT_EQ(Run({"--config", Path("glyphs.pbtxt"), "--out", Path("glyphs")}).code, 0);
  EXPECT_THAT(Predict("glyphs", "t.csv"), FailsWith(2, HasSubstr("made up by the program")));
}

class PredictImagesTest : public PredictAppTest {
 protected:
  PredictImagesTest() {
    // Images of 4 x 4 pixels whose upper or lower half is bright.
    std::string pixels, labels;
    for (int i = 0; i < 64; ++i) {
      labels.push_back(static_cast<char>(i % 2));
      for (int pixel = 0; pixel < 16; ++pixel) {
        pixels.push_back(static_cast<char>((pixel < 8) == (i % 2 == 0) ? 200 + i % 5 : (i * 7 + pixel) % 40));
      }
    }
    WriteTextFile(dir_ / "images", MakeIdx({64, 4, 4}, pixels));
    WriteTextFile(dir_ / "labels", MakeIdx({64}, labels));
    WriteTextFile(dir_ / "idx.pbtxt", std::string(kConfig) + "data { idx { images: '" + Path("images") + "' labels: '" +
                                          Path("labels") + "' } }");
  }
};

TEST_F(PredictImagesTest, GivesImagesTheirClasses) {
  ASSERT_EQ(Run({"--config", Path("idx.pbtxt"), "--out", Path("idx")}).code, 0);
  const Outcome outcome = Predict("idx", "images");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Rows rows = Parse(outcome.out);
  ASSERT_EQ(rows.size(), 65U);
  for (size_t i = 0; i < 64; ++i) EXPECT_THAT(rows[i + 1], ElementsAre(fmt::to_string(i % 2)));
  const Outcome evaluated =
      Run({"evaluate", "--run", Path("idx"), "--data", Path("images"), "--labels", Path("labels"), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_EQ(nlohmann::json::parse(evaluated.out)["accuracy"], 1);
  EXPECT_THAT(Run({"evaluate", "--run", Path("idx"), "--data", Path("images")}),
              FailsWith(2, HasSubstr("images need --labels")));
  EXPECT_THAT(Predict("idx", "labels"), FailsWith(2, HasSubstr("expected images of 4 x 4 pixels")));
  EXPECT_THAT(Predict("idx", "t.csv"), FailsWith(2, HasSubstr("t.csv")));
  EXPECT_THAT(Predict("idx", "images", {"--keep", "x"}), FailsWith(2, HasSubstr("the run's data is images")));
}

}  // namespace
}  // namespace twofour::train
