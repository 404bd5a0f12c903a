#pragma once

#include <cstdint>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// Sizes and distortions of the glyphs data set. A digit's distortions are drawn evenly from the ranges named here.
struct GlyphsOptions {
  int64_t train_size = 12000;  ///< 1 to 10 million
  int64_t eval_size = 2000;    ///< 1 to 10 million
  uint64_t seed = 1;
  double rotation_degrees = 15;  ///< Turned by up to this much in either direction; 0 to 180.
  double scale = 0.2;            ///< Width and height each 1 +- this much; 0 to 0.9.
  double shift_pixels = 2.5;     ///< Moved by up to this much along each axis; 0 to 14.
  double noise = 0.15;           ///< Standard deviation of the noise of each pixel; 0 to 1.
};

/// Rule: every field is within the range that its comment gives.
void Check(const GlyphsOptions& options, const FieldPath& at, Faults& faults);

/// Draws digits from a small built-in font in the form of MNIST: 28x28 pixels in row-major order, ink 1 on paper 0. So
/// a model of this data set can read MNIST as well. Each digit is turned, stretched, moved, thickened, blurred and
/// speckled at random. Sample i of a split is a pure function of the options' seed and distortions, the split and i.
/// Needs no files. Throws Error on options that Check finds fault with.
DataSplit LoadGlyphs(const GlyphsOptions& options);

}  // namespace twofour::train
