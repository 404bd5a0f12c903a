#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/dtype.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// Which of the two products of a linear with its weight.
enum class Direction {
  kForward,    ///< y = x W^T: in [batch, in_features], out [batch, out_features].
  kInputGrad,  ///< dx = dy W: in [batch, out_features], out [batch, in_features].
};

/// "forward", "input_grad".
std::string_view NameOf(Direction direction);

/// Everything that the choice of a kernel depends on: a product with a masked weight [out_features, in_features]. What
/// is applied to the product (Epilogue) is not part of it, because every kernel can apply any epilogue.
struct LinearProblem {
  int64_t out_features = 0;
  int64_t in_features = 0;
  int64_t batch = 0;
  Direction direction = Direction::kForward;
  MaskFormat format = MaskFormat::TwoOfFour();
  DType weight = DType::kF32;  ///< The dtype of the dense weight that is packed.
  DType input = DType::kF32;
  DType output = DType::kF32;
};

/// What happens to each element of a product before it is written: out = f(product + bias).
struct Epilogue {
  const float* bias = nullptr;  ///< One value for each column of the output, or null.
  bool relu_squared = false;    ///< If true, f(v) = max(v, 0)^2, where a NaN stays a NaN. If not, f(v) = v.
};

}  // namespace twofour::sparse
