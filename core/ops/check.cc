#include "twofour/core/ops/check.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour::ops {

void RequireFloating(std::string_view op, std::string_view name, const Tensor& tensor) {
  if (!tensor.defined()) throw Error(fmt::format("{}: {} is undefined", op, name));
  if (!IsFloating(tensor.dtype())) {
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

}  // namespace twofour::ops
