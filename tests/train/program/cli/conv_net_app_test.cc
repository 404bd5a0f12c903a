// A convolutional network in the program: images of files and of tables, from training to predictions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/data/idx_test_data.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using nlohmann::json;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kImages = 120, kHeight = 6, kWidth = 8, kClasses = 3, kFirst = 16, kSecond = 16;

class ConvNetAppTest : public test::ConfigRunner {
 protected:
  ConvNetAppTest()
      : ConfigRunner(R"(
          model { conv_net {
            convolutions { channels: 16 }
            convolutions { channels: 16 stride: 2 pool: 2 }
          } }
          training { steps: 40 batch_size: 24 }
          learning_rate { lr: 0.01 }
          evaluation { every_steps: 20 }
          checkpoint { every_steps: 20 }
          logging { every_steps: 5 tensorboard: false }
        )") {
    std::string pixels, labels, rows;
    for (int i = 0; i < kImages; ++i) {
      const int label = i % kClasses;
      labels.push_back(static_cast<char>(label));
      std::string row = fmt::format("{}", label);
      for (int y = 0; y < kHeight; ++y) {
        for (int x = 0; x < kWidth; ++x) {
          const int pixel = Pixel(i, label, y, x);
          pixels.push_back(static_cast<char>(pixel));
          row += fmt::format(",{}", pixel);
        }
      }
      rows += row + "\n";
    }
    WriteTextFile(dir_ / "images", MakeIdx({kImages, kHeight, kWidth}, pixels));
    WriteTextFile(dir_ / "wide", MakeIdx({kImages, kWidth, kHeight}, pixels));
    WriteTextFile(dir_ / "flat", MakeIdx({kImages, kHeight * kWidth}, pixels));
    WriteTextFile(dir_ / "labels", MakeIdx({kImages}, labels));
    WriteTextFile(dir_ / "t.csv", rows);
  }

  /// Stripes that run down, across or both ways, somewhere else in each image.
  static int Pixel(int image, int label, int y, int x) {
    const int shift = image / kClasses % 4;
    const bool down = (x + shift) % 4 == 0, across = (y + shift) % 4 == 0;
    const bool ink = label == 0 ? down : label == 1 ? across : down || across;
    return ink ? 200 + image % 50 : (image * 7 + y * 5 + x * 3) % 40;
  }

  std::vector<std::string> Images(const std::string& name = "images") {
    return Set({"data.idx.images=" + Path(name), "data.idx.labels=" + Path("labels")});
  }

  static double Loss(const std::string& metrics) {
    double loss = -1;
    std::istringstream lines(metrics);
    for (std::string line; std::getline(lines, line);) {
      const json record = json::parse(line);
      if (record["split"] == "eval") loss = record["loss"];
    }
    return loss;
  }

  /// Probabilities of an image, by loops over the definition of a convolution in float64. Weights and masks are read
  /// from the file alone.
  static std::vector<double> ProbabilitiesByHand(const SafetensorsFile& model, int image) {
    std::vector<double> values;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) values.push_back(Pixel(image, image % kClasses, y, x) / 255.0);
    }
    values = Convolve(model, 0, values, kHeight, kWidth, 1, kFirst, 1);
    values = Convolve(model, 1, values, kHeight, kWidth, kFirst, kSecond, 2);
    values = Pool(values, kHeight / 2, kWidth / 2, kSecond);
    std::vector<double> logits;
    double sum = 0;
    for (int out = 0; out < kClasses; ++out) {
      double logit = model.Find("head.bias")->data<float>()[out];
      for (size_t j = 0; j < values.size(); ++j) {
        logit += Weight(model, "head", out * static_cast<int64_t>(values.size()) + static_cast<int64_t>(j)) * values[j];
      }
      logits.push_back(std::exp(logit));
      sum += logits.back();
    }
    for (double& logit : logits) logit /= sum;
    return logits;
  }

 private:
  static double Weight(const SafetensorsFile& model, const std::string& layer, int64_t at) {
    const Tensor* const mask = model.Find(layer + ".weight_mask");
    return mask == nullptr || mask->data<bool>()[at] ? model.Find(layer + ".weight")->data<float>()[at] : 0.0;
  }

  /// A 3x3 convolution with a padding of 1, then ReLU^2.
  static std::vector<double> Convolve(const SafetensorsFile& model, int layer, const std::vector<double>& values,
                                      int height, int width, int in, int out, int stride) {
    const std::string name = fmt::format("layers.{}.linear", layer);
    std::vector<double> result;
    for (int y = 0; y < height; y += stride) {
      for (int x = 0; x < width; x += stride) {
        for (int o = 0; o < out; ++o) {
          double sum = model.Find(name + ".bias")->data<float>()[o];
          for (int ky = 0; ky < 3; ++ky) {
            for (int kx = 0; kx < 3; ++kx) {
              const int row = y + ky - 1, column = x + kx - 1;
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              for (int c = 0; c < in; ++c) {
                sum += Weight(model, name, ((o * 3 + ky) * 3 + kx) * in + c) *
                       values[static_cast<size_t>((row * width + column) * in + c)];
              }
            }
          }
          result.push_back(std::pow(std::max(sum, 0.0), 2));
        }
      }
    }
    return result;
  }

  static std::vector<double> Pool(const std::vector<double>& values, int height, int width, int channels) {
    std::vector<double> result;
    for (int y = 0; y + 1 < height; y += 2) {
      for (int x = 0; x + 1 < width; x += 2) {
        for (int c = 0; c < channels; ++c) {
          const auto at = [&](int row, int column) {
            return values[static_cast<size_t>((row * width + column) * channels + c)];
          };
          result.push_back(std::max({at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1)}));
        }
      }
    }
    return result;
  }
};

class ConvNetRecipesTest : public ConvNetAppTest, public ::testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(ConvNetRecipesTest, TrainsEvaluatesAndPredicts) {
  const Outcome trained = Train("run", Joined(Images(), Set(GetParam())));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome evaluated = Run({"evaluate", "--run", Path("run"), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const json result = json::parse(evaluated.out);
  EXPECT_EQ(result["loss"].get<double>(), Loss(ReadTextFile(dir_ / "run/metrics.jsonl")));
  EXPECT_GT(result["accuracy"].get<double>(), 0.7);

  const bool rounds = GetParam().back() == "training.precision=BF16";
  const Outcome predicted = Run({"predict", "--run", Path("run"), "--input", Path("images"), "--probabilities"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors");
  EXPECT_EQ(model.Find("layers.1.linear.weight_mask") != nullptr, GetParam()[0] == "sparsity.enabled=true");
  std::istringstream lines(predicted.out);
  std::string line;
  std::getline(lines, line);
  for (int i = 0; i < kImages; ++i) {
    ASSERT_TRUE(std::getline(lines, line));
    std::istringstream cells(line);
    std::string cell;
    std::getline(cells, cell, ',');
    for (const double expected : ProbabilitiesByHand(model, i)) {
      std::getline(cells, cell, ',');
      EXPECT_NEAR(std::stod(cell), expected, rounds ? 0.05 : 1e-5) << "image " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, ConvNetRecipesTest,
                         ::testing::Values(std::vector<std::string>{"sparsity.enabled=false"},
                                           std::vector<std::string>{"sparsity.enabled=true"},
                                           std::vector<std::string>{"sparsity.enabled=true",
                                                                    "training.precision=BF16"}));

TEST_F(ConvNetAppTest, LoggingAndThreadsChangeNothing) {
  ASSERT_EQ(Train("one", Joined(Images(), Set({"sparsity.enabled=true", "threads=1"}))).code, 0);
  ASSERT_EQ(Train("two", Joined(Images(), Set({"sparsity.enabled=true", "threads=2", "logging.every_steps=0"}))).code,
            0);
  EXPECT_TRUE(Model("one") == Model("two"));
}

TEST_F(ConvNetAppTest, ReadsImagesOutOfATable) {
  const std::vector<std::string> table =
      Set({"data.csv={ path: '" + Path("t.csv") + "' label: '0' standardize: false }"});
  EXPECT_THAT(Train("run", table), FailsWith(2, HasSubstr("config: model.conv_net.image: missing, expected image { "
                                                          "height: ... width: ... }: the data has samples of 48")));
  const Outcome trained = Train("run", Joined(table, Set({"model.conv_net.image={ height: 6 width: 8 }"})));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome evaluated = Run({"evaluate", "--run", Path("run"), "--data", Path("t.csv"), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_EQ(Run({"predict", "--run", Path("run"), "--input", Path("t.csv")}).code, 0);
  EXPECT_THAT(Train("no", Joined(table, Set({"model.conv_net.image={ height: 6 width: 9 }"}))),
              FailsWith(2, HasSubstr("model.conv_net.image: 6 x 9 x 1, expected 48 numbers, as the data has")));
}

TEST_F(ConvNetAppTest, RefusesImagesOfAnotherShape) {
  EXPECT_THAT(Train("no", Joined(Images(), Set({"model.conv_net.image={ height: 8 width: 6 }"}))),
              FailsWith(2, HasSubstr("config: model.conv_net.image: 8 x 6 x 1, expected 6 x 8 x 1, as the data has")));
  EXPECT_THAT(Train("no", Images("flat")), FailsWith(2, HasSubstr("config: model.conv_net.image: missing")));
  const Outcome flat = Train("of_flat", Joined(Images("flat"), Set({"model.conv_net.image={ height: 6 width: 8 }"})));
  EXPECT_EQ(flat.code, 0) << flat.err;
  ASSERT_EQ(Train("run", Images()).code, 0);
  EXPECT_THAT(Run({"predict", "--run", Path("run"), "--input", Path("wide")}),
              FailsWith(2, AllOf(HasSubstr("an array of 120 x 8 x 6"), HasSubstr("expected images of 6 x 8 pixels"))));
  EXPECT_EQ(Run({"predict", "--run", Path("run"), "--input", Path("flat")}).code, 0);
  EXPECT_THAT(Run({"evaluate", "--run", Path("run"), "--data", Path("wide"), "--labels", Path("labels")}),
              FailsWith(2, HasSubstr("expected images of 6 x 8 pixels")));
}

TEST_F(ConvNetAppTest, GoesOnWithTheSameImagesAsRowsOfPixels) {
  ASSERT_EQ(Train("run", Images()).code, 0);
  const Outcome resumed =
      Resume("run", Joined(Set({"data.idx.images=" + Path("flat"), "training.steps=44"}), {"--accept-changed-data"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(ReadTextFile(dir_ / "run/data.json"), HasSubstr("\"sample_shape\""));
}

TEST_F(ConvNetAppTest, OffersToGoOnWithOtherImagesOnlyWhereThatIsPossible) {
  ASSERT_EQ(Train("run", Images()).code, 0);
  WriteTextFile(dir_ / "small", MakeIdx({kImages, 4, 4}, std::string(kImages * 16, '\1')));
  EXPECT_THAT(Resume("run", Set({"data.idx.images=" + Path("small"), "training.steps=44"})),
              FailsWith(2, AllOf(HasSubstr("16 features, were 48"), Not(HasSubstr("--accept-changed-data")))));
}

TEST_F(ConvNetAppTest, AsksWhetherChannelsAreFirst) {
  WriteTextFile(dir_ / "first", MakeIdx({kImages, 1, kHeight, kWidth}, ReadTextFile(dir_ / "images").substr(16)));
  const std::vector<std::string> one = Set({"model.conv_net.convolutions=[{ channels: 4 }]"});
  const Outcome first = Train("run", Joined(Images("first"), one)), last = Train("last", Joined(Images(), one));
  EXPECT_THAT(first.out + first.err, HasSubstr("images of 1 x 6 pixels with 8 channels: are the channels first?"));
  EXPECT_THAT(last.out + last.err, Not(HasSubstr("are the channels first")));
}

TEST_F(ConvNetAppTest, SaysWhichWindowDoesNotFit) {
  EXPECT_THAT(
      Train("no",
            Joined(Images(), Set({"model.conv_net.convolutions=[{ channels: 4 pool: 4 }, { channels: 4 pool: 4 }]"}))),
      FailsWith(2, HasSubstr("config: model.conv_net.convolutions[1].pool: 4, expected a window that fits: the "
                             "images before it are 1 x 2")));
  EXPECT_THAT(Train("no", Joined(Images(), Set({"model.conv_net.image.channels=4"}))),
              FailsWith(2, HasSubstr("config: model.conv_net.image.channels: 4, expected height and width beside it")));
  EXPECT_THAT(Train("no", Joined(Images(), Set({"model.conv_net={}"}))),
              FailsWith(2, HasSubstr("config: model.conv_net.convolutions (how many): 0, expected 1 to 1000")));
}

}  // namespace
}  // namespace twofour::train
