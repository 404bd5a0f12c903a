#include "twofour/core/dtype.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour {

size_t SizeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF64:
      return 8;
    case DType::kBool:
      return 1;
  }
  return 0;
}

std::string_view NameOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF64:
      return "f64";
    case DType::kI32:
      return "i32";
    case DType::kBool:
      return "bool";
  }
  return "?";
}

void ThrowUnsupportedDType(std::string_view op, DType dtype) {
  throw Error(fmt::format("{}: got a tensor of dtype {}, expected f32 or f64", op, NameOf(dtype)));
}

}  // namespace twofour
