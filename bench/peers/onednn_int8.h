#pragma once

#include <cstdint>
#include <memory>

#include "twofour/core/dtype.h"

namespace twofour::bench {

/// oneDNN's matmul primitive for y = x W^T with bytes: x u8 [tokens, in], W s8 [out, in] in the layout that the library
/// prefers, y f32 or bf16 [tokens, out], scaled by a factor for each column.
class OneDnnInt8Product {
 public:
  /// Throws Error if the library cannot write this dtype here.
  OneDnnInt8Product(int64_t out, int64_t in, int64_t tokens, DType result, const int8_t* weight);
  ~OneDnnInt8Product();

  void Multiply(const uint8_t* x, void* y);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace twofour::bench
