#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/dtype.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// Which of a linear's two products with its weight.
enum class Direction {
  kForward,    ///< y = x W^T: in [batch, in_features], out [batch, out_features].
  kInputGrad,  ///< dx = dy W: in [batch, out_features], out [batch, in_features].
};

/// "forward", "input_grad".
std::string_view NameOf(Direction direction);

/// All that the choice of a kernel depends on: a product with a masked weight [out_features, in_features]. What is
/// applied to the product (Epilogue) is not part of it, since every kernel applies any.
struct LinearProblem {
  int64_t out_features = 0;
  int64_t in_features = 0;
  int64_t batch = 0;
  Direction direction = Direction::kForward;
  MaskFormat format = MaskFormat::TwoOfFour();
  DType weight = DType::kF32;  ///< Of the dense weight that is packed.
  DType input = DType::kF32;
  DType output = DType::kF32;
};

/// What happens to each element of a product before it is written: out = f(product + bias).
struct Epilogue {
  const float* bias = nullptr;  ///< One value for each column of the output, or null.
  bool relu_squared = false;    ///< f(v) = max(v, 0)^2, a NaN stays a NaN; identity otherwise.
};

}  // namespace twofour::sparse
