#include "twofour/train/data/glyphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/core/random.h"
#include "twofour/core/random_streams.h"
#include "twofour/train/data/class_notes.h"
#include "twofour/train/data/glyph_font.h"

namespace twofour::train {
namespace {

constexpr int kSide = 28;
constexpr int64_t kPixels = int64_t{kSide} * kSide;
constexpr int64_t kMaxSize = 10'000'000;

// Pixels from one cell of the font to the next: seven rows are then as tall as MNIST's digits (20 pixels).
constexpr float kCellPixels = 2.8F;

/// How one sample is drawn.
struct Pose {
  float cos_angle, sin_angle;
  float cells_per_pixel_x, cells_per_pixel_y;
  float shift_x, shift_y;
  float ink_from, ink_to;  // Ink below the first shows as paper, above the second as full black.
};

Pose DrawPose(const GlyphsOptions& options, RandomSequence& random) {
  const auto either_way = [&](double range) {
    return random.Uniform(-static_cast<float>(range), static_cast<float>(range));
  };
  Pose pose;
  const double angle = either_way(options.rotation_degrees) * std::numbers::pi / 180;
  pose.cos_angle = static_cast<float>(std::cos(angle));
  pose.sin_angle = static_cast<float>(std::sin(angle));
  pose.cells_per_pixel_x = 1 / (kCellPixels * (1 + either_way(options.scale)));
  pose.cells_per_pixel_y = 1 / (kCellPixels * (1 + either_way(options.scale)));
  pose.shift_x = either_way(options.shift_pixels);
  pose.shift_y = either_way(options.shift_pixels);
  // Two cells that touch at a corner have half ink between them: thresholds around 0.4 keep such strokes whole.
  const float threshold = random.Uniform(0.3F, 0.5F);
  const float blur = random.Uniform(0.1F, 0.3F);
  pose.ink_from = threshold - blur;
  pose.ink_to = threshold + blur;
  return pose;
}

float CellInk(const GlyphBitmap& glyph, int row, int col) {
  const bool inside = row >= 0 && row < kGlyphRows && col >= 0 && col < kGlyphCols;
  return inside && glyph[row][col] == '#' ? 1.0F : 0.0F;
}

/// Ink at a point between cell centres, interpolated from the four around it.
float BilinearInk(const GlyphBitmap& glyph, float y, float x) {
  const float top = std::floor(y), left = std::floor(x);
  const float down = y - top, right = x - left;
  const int row = static_cast<int>(top), col = static_cast<int>(left);
  const float above = (1 - right) * CellInk(glyph, row, col) + right * CellInk(glyph, row, col + 1);
  const float below = (1 - right) * CellInk(glyph, row + 1, col) + right * CellInk(glyph, row + 1, col + 1);
  return (1 - down) * above + down * below;
}

/// 0 up to `from`, 1 from `to` on, a smooth step in between.
float SmoothStep(float from, float to, float x) {
  const float t = std::clamp((x - from) / (to - from), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

/// Writes kPixels pixels; returns the label.
int32_t DrawSample(const GlyphsOptions& options, const RandomKey& key, float* pixels) {
  RandomSequence random(key);
  const auto digit = static_cast<int>(random.Below(10));
  const GlyphBitmap& glyph = DigitGlyph(digit, static_cast<int>(random.Below(kGlyphVariants)));
  const Pose pose = DrawPose(options, random);
  // Uniform noise of this half-width has the standard deviation asked for, and costs a fraction of normal noise.
  const auto noise = static_cast<float>(options.noise * std::numbers::sqrt3);
  constexpr float kCentre = (kSide - 1) / 2.0F;
  for (int row = 0; row < kSide; ++row) {
    for (int col = 0; col < kSide; ++col) {
      // From the picture back to the font: undo the shift, the rotation, then the scale.
      const float x = static_cast<float>(col) - kCentre - pose.shift_x;
      const float y = static_cast<float>(row) - kCentre - pose.shift_y;
      const float glyph_x = (pose.cos_angle * x + pose.sin_angle * y) * pose.cells_per_pixel_x;
      const float glyph_y = (pose.cos_angle * y - pose.sin_angle * x) * pose.cells_per_pixel_y;
      const float ink = BilinearInk(glyph, glyph_y + (kGlyphRows - 1) / 2.0F, glyph_x + (kGlyphCols - 1) / 2.0F);
      const float value = SmoothStep(pose.ink_from, pose.ink_to, ink);
      *pixels++ = std::clamp(value + random.Uniform(-noise, noise), 0.0F, 1.0F);
    }
  }
  return digit;
}

std::shared_ptr<const Dataset> DrawDataset(const GlyphsOptions& options, int64_t size, uint32_t stream) {
  Tensor inputs = Tensor::Empty({size, kPixels});
  Tensor labels = Tensor::Empty({size}, DType::kI32);
  float* pixels = inputs.mutable_data<float>();
  int32_t* label = labels.mutable_data<int32_t>();
  ParallelFor(size, RowGrain(kPixels), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const RandomKey key{options.seed, stream, static_cast<uint64_t>(i)};
      label[i] = DrawSample(options, key, pixels + i * kPixels);
    }
  });
  return std::make_shared<InMemoryDataset>(inputs, labels, 10);
}

}  // namespace

void Check(const GlyphsOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("train_size"), options.train_size, 1, kMaxSize);
  faults.InRange(at("eval_size"), options.eval_size, 1, kMaxSize);
  faults.Between(at("rotation_degrees"), options.rotation_degrees, 0, 180);
  faults.Between(at("scale"), options.scale, 0, 0.9);
  faults.Between(at("shift_pixels"), options.shift_pixels, 0, 14);
  faults.Between(at("noise"), options.noise, 0, 1);
}

DataSplit LoadGlyphs(const GlyphsOptions& options) {
  Checked(options, "glyphs: ", ": got ");
  DataSplit split;
  split.train = DrawDataset(options, options.train_size, random_streams::kGlyphsToTrainOn);
  split.eval = DrawDataset(options, options.eval_size, random_streams::kGlyphsToEvaluateOn);
  split.sample_shape = {kSide, kSide};
  split.inputs = "float32 pixels, 0 to 1, row by row";
  split.description = fmt::format("glyphs (seed {}): {} training and {} evaluation samples of 28x28 pixels, 10 classes",
                                  options.seed, options.train_size, options.eval_size);
  split.class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  NoteClasses(split);
  return split;
}

}  // namespace twofour::train
