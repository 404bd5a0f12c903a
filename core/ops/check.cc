#include "twofour/core/ops/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"

namespace twofour {
inline namespace ops {
namespace {

/// Defined and of one of these dtypes, which `expected` says in words.
void RequireOne(std::string_view op, std::string_view name, const Tensor& tensor, std::initializer_list<DType> dtypes,
                std::string_view expected) {
  if (!tensor.defined()) throw Error(fmt::format("{}: {} is undefined, expected {}", op, name, expected));
  if (std::find(dtypes.begin(), dtypes.end(), tensor.dtype()) != dtypes.end()) return;
  throw Error(fmt::format("{}: {} has dtype {}, expected {}", op, name, NameOf(tensor.dtype()), expected));
}

}  // namespace

void RequireDefined(std::string_view op, std::string_view name, const Tensor& tensor) {
  if (!tensor.defined()) throw Error(fmt::format("{}: {} is undefined", op, name));
}

void RequireDType(std::string_view op, std::string_view name, const Tensor& tensor, DType dtype) {
  RequireOne(op, name, tensor, {dtype}, NameOf(dtype));
}

void RequireFloating(std::string_view op, std::string_view name, const Tensor& tensor) {
  RequireOne(op, name, tensor, {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}, "f32, f64, f16 or bf16");
}

void RequireF32OrF64(std::string_view op, std::string_view name, const Tensor& tensor) {
  RequireOne(op, name, tensor, {DType::kF32, DType::kF64}, "f32 or f64");
}

void RequireLike(std::string_view op, std::string_view name, const Tensor& tensor, DType dtype, const Shape& shape) {
  if (!tensor.defined()) {
    throw Error(fmt::format("{}: {} is undefined, expected {}", op, name, Describe(dtype, shape)));
  }
  if (tensor.shape() != shape) {
    throw Error(fmt::format("{}: {} has shape {}, expected {}", op, name, ToString(tensor.shape()), ToString(shape)));
  }
  if (tensor.dtype() != dtype) {
    throw Error(fmt::format("{}: {} has dtype {}, expected {}", op, name, NameOf(tensor.dtype()), NameOf(dtype)));
  }
}

size_t RequireAxis(std::string_view op, std::string_view name, const Tensor& tensor, int axis) {
  const int rank = tensor.rank(), index = axis < 0 ? axis + rank : axis;
  if (index < 0 || index >= rank) {
    throw Error(fmt::format("{}: axis {} of {}, which has shape {}: expected {}", op, axis, name,
                            ToString(tensor.shape()),
                            rank == 0 ? "a tensor with dimensions" : fmt::format("{} to {}", -rank, rank - 1)));
  }
  return static_cast<size_t>(index);
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

void RequirePositive(std::string_view op, std::string_view name, double value, DType dtype) {
  Faults faults(fmt::format("{}: ", op), " ");
  if (dtype == DType::kF64) {
    faults.Positive(std::string(name), value);
  } else {
    faults.PositiveFloat(std::string(name), value);
  }
  faults.Throw();
}

}  // namespace ops
}  // namespace twofour
