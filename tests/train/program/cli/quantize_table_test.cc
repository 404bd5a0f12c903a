// Runs of `trainer quantize` on a table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/packed_linears.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/table_inputs.h"
#include "twofour/train/program/config/load_model.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/table_runner.h"

namespace twofour::train {
namespace {

using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using ::testing::HasSubstr;

class QuantizeTableTest : public test::TableRunner {
 protected:
  /// The logits of a run's model for all rows of the table, with Int8Weights in the place of its linears.
  Tensor LogitsByHand(const std::string& name) {
    TrainedRun run = LoadTrainedRun(Path(name));
    LoadedSampleModel loaded = LoadSampleModel(run);
    nn::SwapSemiSparseLinearWithLinear(*loaded.model, true);
    std::vector<nn::PackedLinear> packed;
    loaded.model->VisitModules([&](const std::string& linear_name, nn::Module& module) {
      const auto* const linear = dynamic_cast<const nn::Linear*>(&module);
      if (linear == nullptr) return;
      const Tensor whole = Tensor::Full(linear->weight().shape(), 1, DType::kBool);
      packed.push_back(
          {.name = linear_name,
           .weight = std::make_shared<sparse::Int8Weight>(sparse::QuantizeRows(linear->weight()),
                                                          sparse::Mask::FromTensor(whole), sparse::MaskFormat::Dense()),
           .bias = linear->bias()});
    });
    nn::PutPackedLinears(*loaded.model, packed, "by hand");
    const std::string text = ReadTextFile(dir_ / "t.csv");
    CsvReader reader(text, ',', "t.csv");
    CsvRow row;
    reader.Next(row);
    const TableInputs table(row, SchemaOf(loaded.data), {}, {}, "t.csv");
    std::vector<float> inputs;
    while (reader.Next(row)) {
      inputs.resize(inputs.size() + 16);
      table.Encode(row, std::span(inputs).last(16));
    }
    const NoGradGuard no_grad;
    return loaded.model->Forward(Tensor::FromVector(inputs, {static_cast<int64_t>(inputs.size()) / 16, 16}));
  }
};

TEST_F(QuantizeTableTest, PredictionsAreThoseOfProductsOfBytes) {
  ASSERT_EQ(Train("dense").code, 0);
  ASSERT_EQ(Train("sparse", {"sparsity.enabled=true"}).code, 0);
  for (const std::string run : {"dense", "sparse"}) {
    SCOPED_TRACE(run);
    const std::string out = run + "_int8";
    const Outcome outcome = Run({"quantize", "--run", Path(run), "--out", Path(out), "--weights", "int8"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Outcome predicted = Run({"predict", "--run", Path(out), "--input", Path("t.csv"), "--probabilities"});
    ASSERT_EQ(predicted.code, 0) << predicted.err;
    const Tensor logits = LogitsByHand(run);
    CsvReader reader(predicted.out, ',', "output");
    CsvRow row;
    reader.Next(row);
    for (int64_t i = 0; i < logits.dim(0); ++i) {
      ASSERT_TRUE(reader.Next(row));
      double sum = 0;
      const float* const of_row = logits.data<float>() + i * 3;
      const double largest = std::max({of_row[0], of_row[1], of_row[2]});
      for (int64_t k = 0; k < 3; ++k) sum += std::exp(of_row[k] - largest);
      for (int64_t k = 0; k < 3; ++k) {
        const double expected = std::exp(of_row[k] - largest) / sum;
        EXPECT_NEAR(std::strtod(row.cells[static_cast<size_t>(k) + 1].c_str(), nullptr), expected, 1e-7) << i;
      }
    }
    EXPECT_FALSE(reader.Next(row));
    const auto loss = [&](const std::string& of) {
      return JsonDocument::Parse(Run({"evaluate", "--run", Path(of), "--json"}).out, "evaluate")
          .root()
          .Find("loss")
          ->number();
    };
    EXPECT_NEAR(loss(out), loss(run), 0.02);
  }
}

/// Predictions from codes are those of the floats that they stand for.
TEST_F(QuantizeTableTest, PredictionsOfFewBitsAreThoseOfTheirFloats) {
  ASSERT_EQ(Train("sparse", {"sparsity.enabled=true"}).code, 0);
  for (const std::string kind : {"fp8", "nvfp4"}) {
    SCOPED_TRACE(kind);
    const std::string file = Path(kind + ".safetensors"), imported = "imported_" + kind;
    const Outcome outcome = Run({"quantize", "--run", Path("sparse"), "--out", Path(kind), "--weights", kind});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_EQ(Run({"export", "--run", Path(kind), "-o", file}).code, 0);
    ASSERT_EQ(Run({"import", "--from", file, "--config", Path("sparse/config.pbtxt"), "--out", Path(imported)}).code,
              0);
    const auto predict = [&](const std::string& run) {
      const Outcome predicted = Run({"predict", "--run", Path(run), "--input", Path("t.csv"), "--probabilities"});
      EXPECT_EQ(predicted.code, 0) << predicted.err;
      return predicted.out;
    };
    const std::string packed = predict(kind), floats = predict(imported);
    CsvReader reader(packed, ',', "packed"), expected(floats, ',', "floats");
    CsvRow row, other;
    reader.Next(row), expected.Next(other);
    int rows = 0;
    for (; expected.Next(other); ++rows) {
      ASSERT_TRUE(reader.Next(row));
      for (size_t k = 1; k <= 3; ++k) {
        EXPECT_NEAR(std::strtod(row.cells[k].c_str(), nullptr), std::strtod(other.cells[k].c_str(), nullptr), 1e-6);
      }
    }
    EXPECT_EQ(rows, 200);
    EXPECT_NE(packed, predict("sparse"));
  }
}

TEST_F(QuantizeTableTest, AWholeNarrowWeightIsDense) {
  ASSERT_EQ(Train("narrow", {"model.mlp.hidden_features=[2]"}).code, 0);
  for (const char* const kind : {"int8", "fp8", "nvfp4"}) {
    const Outcome outcome =
        Run({"quantize", "--run", Path("narrow"), "--out", Path(kind), "--weights", kind, "--include", ".*"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const SafetensorsFile file = LoadSafetensors(FileSystem::Default(), dir_ / kind / "model.safetensors");
    EXPECT_NE(file.Find("layers.1.weight"), nullptr) << kind;
  }
}

TEST_F(QuantizeTableTest, TheDefaultOfSamplesTakesAllOfLittleData) {
  test::WriteTextFile(dir_ / "t.csv", Table(0, 60));
  ASSERT_EQ(Train("few", {}).code, 0);
  const auto quantize = [&](const std::vector<std::string>& more) {
    return Run(
        Joined({"quantize", "--run", Path("few"), "--out", Path("out"), "--weights", "int8", "--calibration"}, more));
  };
  EXPECT_THAT(quantize({"--samples", "128"}), FailsWith(2, HasSubstr("--samples: 128, expected at most ")));
  EXPECT_EQ(quantize({}).code, 0);
}

TEST_F(QuantizeTableTest, TooManyColumnsAreRefused) {
  ASSERT_EQ(Train("wide", {"model.mlp.hidden_features=[65552]", "training.steps=1"}).code, 0);
  const Outcome outcome = Run({"quantize", "--run", Path("wide"), "--out", Path("out"), "--weights", "int8"});
  EXPECT_THAT(outcome, FailsWith(2, HasSubstr("layers.1: 65552 columns, expected at most 65536 for weights of int8; "
                                              "--exclude leaves it as it is")));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
  const Outcome without =
      Run({"quantize", "--run", Path("wide"), "--out", Path("out"), "--weights", "int8", "--exclude", "layers.1"});
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_EQ(Run({"quantize", "--run", Path("wide"), "--out", Path("fp8"), "--weights", "fp8"}).code, 0);
}

}  // namespace
}  // namespace twofour::train
