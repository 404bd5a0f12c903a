#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/sparse/mask.h"
#include "twofour/train/exchange/quantized_weights.h"

#include "tests/support/tensors.h"

namespace twofour::test {

/// A mask [rows, cols]: everything, 2:4 both ways, 2:4 along rows, or three of four entries.
struct LowBitPattern {
  const char* name;
  sparse::MaskFormat format;
  const char* tile[4];
  int64_t cols;
  train::WeightForm form;

  sparse::Mask mask(int64_t rows) const {
    Tensor kept = Tensor::Zeros({rows, cols}, DType::kBool);
    for (int64_t i = 0; i < kept.numel(); ++i) kept.mutable_data<bool>()[i] = tile[i / cols % 4][i % cols % 4] == 'x';
    return sparse::Mask::FromTensor(kept);
  }
};

inline const LowBitPattern kLowBitPatterns[] = {
    {"dense", sparse::MaskFormat::Dense(), {"xxxx", "xxxx", "xxxx", "xxxx"}, 48, train::WeightForm::kDense},
    {"dense, odd", sparse::MaskFormat::Dense(), {"xxxx", "xxxx", "xxxx", "xxxx"}, 33, train::WeightForm::kDense},
    {"dense, narrow", sparse::MaskFormat::Dense(), {"xxxx", "xxxx", "xxxx", "xxxx"}, 1, train::WeightForm::kDense},
    {"both ways", sparse::MaskFormat::TwoOfFour(), {"x x ", " x x", " xx ", "x  x"}, 48, train::WeightForm::kPacked},
    {"rows", sparse::MaskFormat::Rows(2, 4), {"xx  ", "xx  ", "  xx", "xx  "}, 72, train::WeightForm::kPacked},
    {"rows, odd", sparse::MaskFormat::Rows(2, 4), {"xx  ", "x x ", " xx ", "xx  "}, 39, train::WeightForm::kPacked},
    {"unstructured",
     sparse::MaskFormat::Unstructured(),
     {"xxx ", "x xx", " xxx", "xx x"},
     48,
     train::WeightForm::kDense},
    {"blocks", sparse::MaskFormat::Blocks(4, 4), {"xxxx", "xxxx", "xxxx", "xxxx"}, 48, train::WeightForm::kDense},
    {"not 2:4", sparse::MaskFormat::TwoOfFour(), {"xxx ", "x xx", " xxx", "xx x"}, 48, train::WeightForm::kDense}};

class LowBitTensorsRunner : public ::testing::TestWithParam<sparse::LowBitKind> {
 protected:
  static constexpr int64_t kRows = 10;
  sparse::LowBitKind kind() const { return GetParam(); }
  bool nvfp4() const { return kind() == sparse::LowBitKind::kNvfp4; }
  /// Rounded; some numbers become 0 and are kept.
  train::QuantizedWeight Rounded(const LowBitPattern& pattern) const {
    Tensor weight = RandomF32({kRows, pattern.cols}, {.seed = 7});
    for (int64_t i = 0; i < weight.numel(); i += 3) weight.mutable_data<float>()[i] *= 1e-6F;
    return train::Quantize(weight, pattern.mask(kRows), pattern.format, kind(), "weight");
  }
  std::vector<NamedTensor> TensorsOf(const train::QuantizedWeight& weight) const {
    std::vector<NamedTensor> tensors;
    train::AppendQuantizedWeight("a", weight, tensors);
    return tensors;
  }
};

inline std::string NameOfKind(const ::testing::TestParamInfo<sparse::LowBitKind>& info) {
  return std::string(sparse::NameOf(info.param));
}

}  // namespace twofour::test
