#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/train/inference_speed.h"
#include "twofour/train/linear_analysis.h"
#include "twofour/train/program/cli/packing_advice.h"

namespace twofour::train {

/// Rounds of each measurement.
inline constexpr int kPackingRounds = 7;

/// What products depend on.
struct ShapeKey {
  int64_t out_features, in_features;
  DType values;
  auto operator<=>(const ShapeKey&) const = default;
};

/// What is measured of a shape.
struct ShapeTrial {
  std::vector<sparse::MaskFormat> formats;
  int64_t dense_linears = 0;  ///< Weights of this shape without zeros to speak of.
  bool tries_dense = false;   ///< Whether 2:4 is measured for them.
  // Below: nothing where it was not measured.
  std::vector<InferenceTimes> times = {};  ///< With one row, and with more.
  std::optional<double> training = {};
};

using PackingTrials = std::map<ShapeKey, ShapeTrial>;

ShapeKey KeyOf(const LinearAnalysis& linear);

/// Which products to time, each once: those of the forms that a file's weights have, and 2:4 for the largest dense
/// ones.
PackingTrials TrialsOf(const FileAnalysis& analysis);

/// Times them with one row and with `rows`. False if it was stopped.
bool Measure(int64_t rows, const std::function<bool()>& stopped, PackingTrials& trials);

/// The form of a linear that is fastest with one row or, where nothing was measured, that takes fewest bytes.
struct BestForm {
  PackedChoice form;
  std::optional<InferenceTimes::Packed> one_row, many_rows;
};

std::optional<BestForm> BestFormOf(const LinearAnalysis& linear, const ShapeTrial& trial);

/// What was measured, for PackingAdvice.
FileSpeedups SpeedupsOf(int64_t rows, bool in_run, const FileAnalysis& analysis, const PackingTrials& trials);

/// The share of the dense weight's bytes that the packed one takes.
inline double ShareOfBytes(size_t packed, size_t dense) {
  return static_cast<double>(packed) / static_cast<double>(dense);
}

}  // namespace twofour::train
