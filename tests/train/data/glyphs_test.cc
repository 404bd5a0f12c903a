#include "twofour/train/data/glyphs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/train/data/glyph_font.h"
#include "twofour/train/data/shuffle.h"

namespace twofour::train {
namespace {

using ::testing::ThrowsMessage;

constexpr int64_t kPixels = 784;

Batch All(const Dataset& dataset) { return dataset.Get(AllIndices(dataset.size())); }

GlyphsOptions Small(int64_t train_size, int64_t eval_size) {
  GlyphsOptions options;
  options.train_size = train_size;
  options.eval_size = eval_size;
  return options;
}

/// Where the ink of one sample lies, x to the right and y down, in pixels.
struct Moments {
  std::array<double, 2> mean{};
  double var_x = 0, var_y = 0, cov = 0;

  /// Degrees by which the long axis is turned clockwise from upright.
  double Tilt() const { return 90 / std::numbers::pi * std::atan2(-2 * cov, var_y - var_x); }
};

Moments MomentsOf(const Tensor& inputs, int64_t sample) {
  const float* pixels = inputs.data<float>() + sample * kPixels;
  const double ink = std::accumulate(pixels, pixels + kPixels, 0.0);
  Moments moments;
  for (int64_t i = 0; i < kPixels; ++i) {
    moments.mean[0] += pixels[i] / ink * static_cast<double>(i % 28);
    moments.mean[1] += pixels[i] / ink * static_cast<double>(i / 28);
  }
  for (int64_t i = 0; i < kPixels; ++i) {
    const double x = static_cast<double>(i % 28) - moments.mean[0], y = static_cast<double>(i / 28) - moments.mean[1];
    moments.var_x += pixels[i] / ink * x * x;
    moments.var_y += pixels[i] / ink * y * y;
    moments.cov += pixels[i] / ink * x * y;
  }
  return moments;
}

/// 400 samples without distortions, except for stroke and blur.
GlyphsOptions Undistorted() {
  GlyphsOptions options = Small(400, 1);
  options.rotation_degrees = options.scale = options.shift_pixels = options.noise = 0;
  return options;
}

TEST(GlyphFontTest, EveryShapeIsWellFormedAndItsOwn) {
  std::set<GlyphBitmap> shapes;
  for (int digit = 0; digit < 10; ++digit) {
    for (int variant = 0; variant < kGlyphVariants; ++variant) {
      const GlyphBitmap& glyph = DigitGlyph(digit, variant);
      for (std::string_view row : glyph) {
        EXPECT_EQ(row.size(), size_t{kGlyphCols});
        EXPECT_EQ(row.find_first_not_of("#."), std::string_view::npos);
        EXPECT_NE(row.find('#'), std::string_view::npos) << "digit " << digit << " does not fill its height";
      }
      shapes.insert(glyph);
    }
  }
  EXPECT_EQ(shapes.size(), 20u);
}

TEST(GlyphsTest, LooksLikeMnist) {
  const DataSplit split = LoadGlyphs(Small(30, 20));
  EXPECT_EQ(split.train->size(), 30);
  EXPECT_EQ(split.eval->size(), 20);
  EXPECT_EQ(split.train->features(), kPixels);
  EXPECT_EQ(split.train->num_classes(), 10);
  EXPECT_EQ(split.class_names.size(), 10u);
  EXPECT_EQ(split.class_names[7], "7");
  EXPECT_FALSE(split.table);
}

TEST(GlyphsTest, PixelsLieBetweenPaperAndInk) {
  const std::vector<float> pixels = All(*LoadGlyphs(Small(200, 1)).train).inputs.ToVector();
  EXPECT_GE(*std::min_element(pixels.begin(), pixels.end()), 0.0F);
  EXPECT_LE(*std::max_element(pixels.begin(), pixels.end()), 1.0F);
  const double mean = std::accumulate(pixels.begin(), pixels.end(), 0.0) / static_cast<double>(pixels.size());
  EXPECT_GT(mean, 0.1);
  EXPECT_LT(mean, 0.35);
}

TEST(GlyphsTest, ThreadsDoNotMatter) {
  const GlyphsOptions options = Small(301, 50);
  SetNumThreads(1);
  const Batch serial = All(*LoadGlyphs(options).train);
  for (int threads : {2, 3}) {
    SetNumThreads(threads);
    const Batch batch = All(*LoadGlyphs(options).train);
    EXPECT_EQ(batch.inputs.ToVector(), serial.inputs.ToVector()) << threads << " threads";
    EXPECT_EQ(batch.targets.ToVector(), serial.targets.ToVector()) << threads << " threads";
  }
  SetNumThreads(0);
}

TEST(GlyphsTest, ASampleDoesNotDependOnHowManyThereAre) {
  const Batch few = LoadGlyphs(Small(10, 10)).eval->Get(std::vector<int64_t>{9});
  const Batch many = LoadGlyphs(Small(20, 40)).eval->Get(std::vector<int64_t>{9});
  EXPECT_EQ(few.inputs.ToVector(), many.inputs.ToVector());
  EXPECT_EQ(few.targets.ToVector(), many.targets.ToVector());
}

TEST(GlyphsTest, SplitsAndSeedsDiffer) {
  GlyphsOptions options = Small(20, 20);
  const DataSplit split = LoadGlyphs(options);
  EXPECT_NE(All(*split.train).inputs.ToVector(), All(*split.eval).inputs.ToVector());
  options.seed = 2;
  EXPECT_NE(All(*split.train).inputs.ToVector(), All(*LoadGlyphs(options).train).inputs.ToVector());
}

TEST(GlyphsTest, ClassesAreBalanced) {
  const Batch batch = All(*LoadGlyphs(Small(4000, 1)).train);
  std::array<int, 10> counts{};
  for (float label : batch.targets.ToVector()) ++counts[static_cast<int>(label)];
  for (int count : counts) EXPECT_NEAR(count, 400, 95);  // Five standard deviations.
}

TEST(GlyphsTest, WithoutDistortionSamplesShowTheFont) {
  const Batch batch = All(*LoadGlyphs(Undistorted()).train);
  const float* pixels = batch.inputs.data<float>();
  for (int64_t i = 0; i < 400; ++i) {
    // The pixel nearest to each cell's centre shows whether the cell is ink or paper. One variant must fit in all 35
    // cells. The pixel is up to half a pixel off, and there paper in a corner between strokes already looks grey (up to
    // 0.72).
    const auto fits = [&](const GlyphBitmap& glyph) {
      for (int row = 0; row < kGlyphRows; ++row) {
        for (int col = 0; col < kGlyphCols; ++col) {
          const auto y = std::lround(13.5 + 2.8 * (row - 3)), x = std::lround(13.5 + 2.8 * (col - 2));
          if ((pixels[i * kPixels + y * 28 + x] > 0.75F) != (glyph[row][col] == '#')) return false;
        }
      }
      return true;
    };
    const int digit = batch.targets.data<int32_t>()[i];
    EXPECT_TRUE(fits(DigitGlyph(digit, 0)) || fits(DigitGlyph(digit, 1))) << "sample " << i << ", a " << digit;
  }
}

TEST(GlyphsTest, ShiftMovesTheInk) {
  GlyphsOptions options = Undistorted();
  const Batch still = All(*LoadGlyphs(options).train);
  options.shift_pixels = 2;
  const Batch moved = All(*LoadGlyphs(options).train);
  for (int axis : {0, 1}) {
    double least = 0, most = 0;
    for (int64_t i = 0; i < 400; ++i) {
      const double shift = MomentsOf(moved.inputs, i).mean[axis] - MomentsOf(still.inputs, i).mean[axis];
      least = std::min(least, shift);
      most = std::max(most, shift);
    }
    EXPECT_NEAR(least, -2, 0.1);
    EXPECT_NEAR(most, 2, 0.1);
  }
}

TEST(GlyphsTest, RotationTurnsTheInk) {
  GlyphsOptions options = Undistorted();
  options.train_size = 2000;
  const Batch upright = All(*LoadGlyphs(options).train);
  options.rotation_degrees = 30;
  const Batch turned = All(*LoadGlyphs(options).train);
  double least = 0, most = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const Moments before = MomentsOf(upright.inputs, i), after = MomentsOf(turned.inputs, i);
    EXPECT_NEAR((after.var_x + after.var_y) / (before.var_x + before.var_y), 1, 0.05) << "sample " << i;
    if (upright.targets.data<int32_t>()[i] != 1) continue;  // Only the digit 1 has a clear axis.
    const double turn = after.Tilt() - before.Tilt();
    least = std::min(least, turn);
    most = std::max(most, turn);
  }
  EXPECT_NEAR(least, -30, 3);
  EXPECT_NEAR(most, 30, 3);
}

TEST(GlyphsTest, ScaleStretchesEachAxis) {
  GlyphsOptions options = Undistorted();
  const Batch plain = All(*LoadGlyphs(options).train);
  options.scale = 0.2;
  const Batch scaled = All(*LoadGlyphs(options).train);
  double least = 1, most = 1, most_uneven = 1;
  for (int64_t i = 0; i < 400; ++i) {
    const Moments before = MomentsOf(plain.inputs, i), after = MomentsOf(scaled.inputs, i);
    const double height = std::sqrt(after.var_y / before.var_y), width = std::sqrt(after.var_x / before.var_x);
    least = std::min({least, height, width});
    most = std::max({most, height, width});
    most_uneven = std::max(most_uneven, width / height);
  }
  EXPECT_NEAR(least, 0.8, 0.05);
  EXPECT_NEAR(most, 1.2, 0.05);
  EXPECT_GT(most_uneven, 1.3);
}

TEST(GlyphsTest, NoiseHasTheStandardDeviationAskedFor) {
  GlyphsOptions options = Small(200, 1);
  options.noise = 0;
  const std::vector<float> clean = All(*LoadGlyphs(options).train).inputs.ToVector();
  options.noise = 0.1;
  const std::vector<float> noisy = All(*LoadGlyphs(options).train).inputs.ToVector();
  double sum = 0, squares = 0;
  int count = 0;
  for (size_t i = 0; i < clean.size(); ++i) {
    if (clean[i] < 0.3F || clean[i] > 0.7F) continue;  // Other pixels are clamped, which cuts the noise.
    ++count;
    sum += noisy[i] - clean[i];
    squares += (noisy[i] - clean[i]) * (noisy[i] - clean[i]);
  }
  ASSERT_GT(count, 1000);
  EXPECT_NEAR(sum / count, 0, 0.01);
  EXPECT_NEAR(std::sqrt(squares / count), 0.1, 0.01);
}

TEST(GlyphsTest, NearestCentroidIsBetterThanChanceAndFarFromPerfect) {
  const DataSplit split = LoadGlyphs(Small(2000, 500));
  const Batch train = All(*split.train), eval = All(*split.eval);
  std::vector<double> centroids(10 * kPixels);
  std::array<double, 10> counts{};
  for (int64_t i = 0; i < 2000; ++i) {
    const int digit = train.targets.data<int32_t>()[i];
    ++counts[digit];
    for (int64_t j = 0; j < kPixels; ++j) {
      centroids[digit * kPixels + j] += train.inputs.data<float>()[i * kPixels + j];
    }
  }
  int correct = 0;
  for (int64_t i = 0; i < 500; ++i) {
    std::array<double, 10> distance{};
    for (int64_t digit = 0; digit < 10; ++digit) {
      for (int64_t j = 0; j < kPixels; ++j) {
        const double offset =
            eval.inputs.data<float>()[i * kPixels + j] - centroids[digit * kPixels + j] / counts[digit];
        distance[digit] += offset * offset;
      }
    }
    const auto nearest = std::min_element(distance.begin(), distance.end()) - distance.begin();
    correct += nearest == eval.targets.data<int32_t>()[i];
  }
  EXPECT_GT(correct, 325);
  EXPECT_LT(correct, 450);
}

TEST(GlyphsTest, RefusesOptionsOutsideTheirRange) {
  const auto message_of = [](auto change, const char* expected) {
    GlyphsOptions options = Small(1, 1);
    change(options);
    EXPECT_THAT([&] { LoadGlyphs(options); }, ThrowsMessage<Error>(expected));
  };
  message_of([](GlyphsOptions& o) { o.train_size = 0; }, "glyphs: train_size: got 0, expected 1 to 10000000");
  message_of([](GlyphsOptions& o) { o.eval_size = 10'000'001; },
             "glyphs: eval_size: got 10000001, expected 1 to 10000000");
  message_of([](GlyphsOptions& o) { o.rotation_degrees = 181; },
             "glyphs: rotation_degrees: got 181, expected 0 to 180");
  message_of([](GlyphsOptions& o) { o.scale = 1; }, "glyphs: scale: got 1, expected 0 to 0.9");
  message_of([](GlyphsOptions& o) { o.shift_pixels = -1; }, "glyphs: shift_pixels: got -1, expected 0 to 14");
  message_of([](GlyphsOptions& o) { o.noise = std::nan(""); }, "glyphs: noise: got nan, expected 0 to 1");
}

}  // namespace
}  // namespace twofour::train
