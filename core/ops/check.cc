#include "twofour/core/ops/check.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour::inline ops {

void RequireF32OrF64(std::string_view op, std::string_view name, const Tensor& tensor) {
  if (!tensor.defined()) throw Error(fmt::format("{}: {} is undefined", op, name));
  if (tensor.dtype() != DType::kF32 && tensor.dtype() != DType::kF64) {
    throw Error(fmt::format("{}: {} has dtype {}, expected f32 or f64", op, name, NameOf(tensor.dtype())));
  }
}

void RequireLike(std::string_view op, std::string_view name, const Tensor& tensor, const Tensor& reference,
                 const Shape& shape) {
  if (!tensor.defined()) throw Error(fmt::format("{}: {} is undefined", op, name));
  if (tensor.shape() != shape) {
    throw Error(fmt::format("{}: {} has shape {}, expected {}", op, name, ToString(tensor.shape()), ToString(shape)));
  }
  if (tensor.dtype() != reference.dtype()) {
    throw Error(
        fmt::format("{}: {} has dtype {}, expected {}", op, name, NameOf(tensor.dtype()), NameOf(reference.dtype())));
  }
}

void RequireIndices(std::string_view op, std::string_view name, const Tensor& tensor) {
  if (!tensor.defined()) throw Error(fmt::format("{}: {} is undefined", op, name));
  if (tensor.dtype() != DType::kI32) {
    throw Error(fmt::format("{}: {} has dtype {}, expected i32", op, name, NameOf(tensor.dtype())));
  }
}

int64_t CountTargets(std::string_view op, const Tensor& targets, int64_t classes, int32_t ignore_index) {
  int64_t counted = 0;
  const int32_t* target = targets.data<int32_t>();
  for (int64_t i = 0; i < targets.numel(); ++i) {
    if (target[i] == ignore_index) continue;
    if (target[i] < 0 || target[i] >= classes) {
      throw Error(fmt::format("{}: target {} at row {} is outside [0, {})", op, target[i], i, classes));
    }
    ++counted;
  }
  return counted;
}

}  // namespace twofour::inline ops
