// Whole recipes, from the config's text to a layer that is trained. The tests write the closed forms out once more.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/optim/sgd.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using sparse::Mask;
using test::RandomF32;

constexpr int64_t kSteps = 60, kRows = 32, kCols = 48, kTiles = kRows * kCols / 16;

nn::SemiSparseOptions OptionsOf(const std::string& sparsity) {
  const proto::Config config = WithDefaults(ParseTextConfig(
      "name: 'x' model { mlp {} } data { glyphs {} } training { steps: 60 } sparsity { " + sparsity + " }", "c"));
  ValidateConfig(config);
  return BuildSwapOptions(config).sparsity;
}

/// Trains a layer for kSteps to compute the same as another matrix. Before each step, calls look(step, layer) while the
/// layer has the mask that the step's forward pass will use.
void TrainAndLook(const std::string& sparsity,
                  const std::function<void(int64_t step, const nn::SemiSparseLinear& layer)>& look) {
  SCOPED_TRACE(sparsity);
  nn::SemiSparseLinear layer(RandomF32({kRows, kCols}, {.seed = 1}), Tensor(), OptionsOf(sparsity));
  nn::SparseTraining training(layer);
  optim::Sgd sgd(layer.Parameters(), {.lr = 0.5});
  const Tensor target = RandomF32({kRows, kCols}, {.seed = 2});
  std::vector<float> before;
  for (int64_t step = 0; step < kSteps; ++step) {
    const nn::StepContext context{.step = step, .lr = 0.5};
    training.BeforeStep(context);
    sgd.ZeroGrad();
    const Tensor x = RandomF32({8, kCols}, {.seed = 3, .step = static_cast<uint64_t>(step)});
    const Tensor y = layer.Forward(x);
    Tensor dy = y.Detach();
    const Tensor wanted = Linear(x, target);
    for (int64_t i = 0; i < dy.numel(); ++i) {
      dy.mutable_data<float>()[i] = (dy.data<float>()[i] - wanted.data<float>()[i]) / 8;
    }
    look(step, layer);
    y.Backward(dy);
    training.AfterBackward(context);
    training.BeforeUpdate(context);
    sgd.Step();
    training.AfterUpdate(context);
    ASSERT_NE(layer.weight().ToVector(), before);  // The weights change at every step.
    before = layer.weight().ToVector();
  }
}

bool IsWhole(const Mask& mask, int64_t tile) { return mask.tiles()[tile] == 0xffff; }

int64_t PrunedTiles(const Mask& mask) {
  int64_t pruned = 0;
  for (int64_t tile = 0; tile < kTiles; ++tile) pruned += !IsWhole(mask, tile);
  return pruned;
}

/// Fails unless each tile keeps everything, or `keep` entries in every row and column.
void ExpectRegular(const Mask& mask, int keep) {
  for (int64_t tile = 0; tile < kTiles; ++tile) {
    for (int line = 0; line < 4; ++line) {
      int in_row = 0, in_column = 0;
      for (int other = 0; other < 4; ++other) {
        in_row += mask.tiles()[tile] >> (4 * line + other) & 1;
        in_column += mask.tiles()[tile] >> (4 * other + line) & 1;
      }
      const int expected = IsWhole(mask, tile) ? 4 : keep;
      ASSERT_TRUE(in_row == expected && in_column == expected) << "line " << line << " of tile " << tile;
    }
  }
}

double AbsSum(const Tensor& weight, int64_t tile, uint16_t mask) {
  double sum = 0;
  const int64_t row = tile / (kCols / 4) * 4, col = tile % (kCols / 4) * 4;
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) sum += std::fabs(double{weight.data<float>()[(row + i / 4) * kCols + col + i % 4]});
  }
  return sum;
}

struct Rise {
  std::string text;
  std::function<double(double t)> at;
};

const std::vector<Rise>& Rises() {
  static const std::vector<Rise> rises = {
      {"LINEAR", [](double t) { return t; }},
      {"CUBIC", [](double t) { return t * (3 - 3 * t + t * t); }},
      {"SMOOTHSTEP", [](double t) { return 3 * t * t - 2 * t * t * t; }},
      {"COSINE", [](double t) { return std::pow(std::sin(std::numbers::pi * t / 2), 2); }},
      {"EXPONENTIAL rate: 3", [](double t) { return (1 - std::exp(-3 * t)) / (1 - std::exp(-3.0)); }},
  };
  return rises;
}

TEST(RecipeTest, EveryScheduleFollowsItsClosedForm) {
  for (const Rise& rise : Rises()) {
    for (const auto& [from, to] : {std::pair(0.0, 1.0), std::pair(0.9, 0.2)}) {
      TrainAndLook(fmt::format("schedule {{ shape: {} begin {{ step: 7 }} end {{ fraction: 0.75 }} from: {} to: {} }}",
                               rise.text, from, to),
                   [&, from = from, to = to](int64_t step, const nn::SemiSparseLinear& layer) {
                     const double t = std::clamp(static_cast<double>(step - 7) / (45 - 7), 0.0, 1.0);
                     const double share = from + (to - from) * rise.at(t);
                     const auto pruned = static_cast<double>(PrunedTiles(layer.mask_in_force()));
                     EXPECT_LE(std::fabs(pruned - share * kTiles), 0.5 + 1e-9) << "step " << step;
                     ExpectRegular(layer.mask_in_force(), 2);
                   });
    }
  }
}

TEST(RecipeTest, ConstantAndPiecewiseSchedulesGoByTheirSteps) {
  TrainAndLook("schedule { begin { step: 20 } from: 0.25 to: 0.75 }",
               [](int64_t step, const nn::SemiSparseLinear& layer) {
                 EXPECT_EQ(PrunedTiles(layer.mask_in_force()), step < 20 ? kTiles / 4 : 3 * kTiles / 4) << step;
               });
  TrainAndLook(
      "schedule { shape: PIECEWISE points { at { step: 10 } share: 0 } points { at { step: 34 } share: 1 } "
      "points { at { step: 46 } share: 0.5 } }",
      [](int64_t step, const nn::SemiSparseLinear& layer) {
        // Of 96 tiles, four more are pruned at each of 24 steps, and then four fewer at each of 12.
        const int64_t expected = step <= 10 ? 0 : step <= 34 ? 4 * (step - 10) : step <= 46 ? 96 - 4 * (step - 34) : 48;
        EXPECT_EQ(PrunedTiles(layer.mask_in_force()), expected) << step;
      });
}

TEST(RecipeTest, TilesThatLoseLeastArePrunedFirst) {
  TrainAndLook("schedule { shape: LINEAR end { step: 50 } }", [](int64_t step, const nn::SemiSparseLinear& layer) {
    const Mask exact = FindMask(layer.weight(), sparse::MaskMethod::kExact);
    double most_of_pruned = 0, least_of_whole = 1e9;
    for (int64_t tile = 0; tile < kTiles; ++tile) {
      const double loss = AbsSum(layer.weight(), tile, static_cast<uint16_t>(~exact.tiles()[tile]));
      if (IsWhole(layer.mask_in_force(), tile)) {
        least_of_whole = std::min(least_of_whole, loss);
      } else {
        most_of_pruned = std::max(most_of_pruned, loss);
        EXPECT_EQ(layer.mask_in_force().tiles()[tile], exact.tiles()[tile]);
      }
    }
    EXPECT_LE(most_of_pruned, least_of_whole) << step;
  });
}

TEST(RecipeTest, InARandomOrderWhatIsPrunedStaysPruned) {
  std::vector<bool> pruned(kTiles);
  bool by_number = true;
  TrainAndLook("schedule { shape: SMOOTHSTEP end { step: 50 } order: RANDOM }",
               [&](int64_t step, const nn::SemiSparseLinear& layer) {
                 for (int64_t tile = 0; tile < kTiles; ++tile) {
                   const bool now = !IsWhole(layer.mask_in_force(), tile);
                   EXPECT_TRUE(now || !pruned[tile]) << "tile " << tile << " at " << step;
                   if (tile > 0 && now && !pruned[tile - 1]) by_number = false;
                   pruned[tile] = now;
                 }
               });
  EXPECT_FALSE(by_number);
}

TEST(RecipeTest, NDecayKeepsFewerFromStageToStageAndNestsWhereAsked) {
  for (const bool nested : {false, true}) {
    int outside = 0;
    TrainAndLook(fmt::format("stages {{ begin {{ step: 10 }} keep: 3 }} stages {{ begin {{ fraction: 0.5 }} keep: 2 }} "
                             "stages {{ begin {{ step: 50 }} keep: 1 }} nested_stages: {}",
                             nested),
                 [&](int64_t step, const nn::SemiSparseLinear& layer) {
                   const Mask& mask = layer.mask_in_force();
                   const int keep = step < 10 ? 4 : step < 30 ? 3 : step < 50 ? 2 : 1;
                   EXPECT_EQ(mask.CountKept(), kRows * kCols / 4 * keep) << step;
                   ExpectRegular(mask, keep);
                   if (keep >= 3) return;
                   const Mask three = sparse::MaskPlan({.stages = {{0, 3}}}).Find(layer.weight(), 0, {}, "w");
                   for (int64_t tile = 0; tile < kTiles; ++tile)
                     outside += (mask.tiles()[tile] & ~three.tiles()[tile]) != 0;
                   if (nested) {
                     EXPECT_EQ(outside, 0) << step;
                   }
                 });
    EXPECT_EQ(outside == 0, nested);
  }
}

TEST(RecipeTest, EveryMethodIsValidInItsDirectionsAtEveryStep) {
  for (const std::string algorithm :
       {"EXACT", "GREEDY", "SIGNED_GREEDY", "RANDOM", "ROWS", "ROWS soft_threshold: true"}) {
    TrainAndLook("algorithm: " + algorithm + " dense_warmup: 0.1 dense_finish: 0.2",
                 [&](int64_t step, const nn::SemiSparseLinear& layer) {
                   const Mask& mask = layer.mask_in_force();
                   if (step < 6 || step >= 48) {
                     EXPECT_EQ(mask.CountKept(), kRows * kCols) << step;
                     return;
                   }
                   for (int64_t row = 0; row < kRows; ++row) {
                     for (int64_t col = 0; col < kCols; col += 4) {
                       int kept = 0;
                       for (int64_t i = 0; i < 4; ++i) kept += mask.Keeps(row, col + i);
                       const bool greedy = algorithm.find("GREEDY") != std::string::npos;
                       ASSERT_TRUE(kept == 2 || (greedy && kept == 1)) << step;
                     }
                   }
                   EXPECT_EQ(mask.FirstTileAboveTwoOfFour().has_value(), algorithm.starts_with("ROWS")) << step;
                 });
  }
}

TEST(RecipeTest, AFrozenMaskIsThatOfItsStepWhateverElseGoesOn) {
  for (const std::string rest :
       {"", "schedule { shape: CUBIC end { step: 25 } }", "dense_warmup: 0.4", "stages { begin { step: 25 } }",
        "freeze_gradient: true interval: 5", "masked_decay { lambda: 0.01 place: WEIGHT }"}) {
    Mask frozen;
    TrainAndLook("freeze { step: 25 } " + rest, [&](int64_t step, const nn::SemiSparseLinear& layer) {
      if (step == 25) frozen = FindMask(layer.weight(), sparse::MaskMethod::kExact);
      if (step >= 25) {
        EXPECT_EQ(layer.mask_in_force(), frozen) << step;
      }
    });
  }
}

}  // namespace
}  // namespace twofour::train
