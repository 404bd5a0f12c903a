#include "tests/support/tensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "twofour/core/convert_element.h"

namespace twofour::test {
namespace {

/// "[1, 0, 2]" for the element at `flat` of a tensor of `shape`.
std::string IndexString(int64_t flat, const Shape& shape) {
  Shape index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = flat % shape[axis];
    flat /= shape[axis];
  }
  return ToString(index);
}

/// Reports a failure and returns false unless both are defined and have the same shape and dtype.
bool SameKind(const Tensor& actual, const Tensor& expected, const char* file, int line) {
  if (actual.defined() && expected.defined() && actual.shape() == expected.shape() &&
      actual.dtype() == expected.dtype()) {
    return true;
  }
  ADD_FAILURE_AT(file, line) << "the tensor is " << Describe(actual) << ", expected " << Describe(expected);
  return false;
}

double At(const Tensor& tensor, int64_t i) {
  double value = 0;
  DispatchDType(tensor.dtype(), [&](auto zero) { value = ConvertElement<double>(tensor.data<decltype(zero)>()[i]); });
  return value;
}

void ReportElement(const Tensor& actual, const Tensor& expected, int64_t i, const char* file, int line) {
  ADD_FAILURE_AT(file, line) << fmt::format("element {} of {} is {:.9g}, expected {:.9g} (difference {:.3g})",
                                            IndexString(i, actual.shape()), Describe(actual), At(actual, i),
                                            At(expected, i), At(actual, i) - At(expected, i));
}

Tensor Random(const Shape& shape, DType dtype, const RandomKey& key, double low, double high) {
  Tensor tensor = Tensor::Empty(shape, dtype);
  FillUniform(tensor, low, high, key);
  return tensor;
}

}  // namespace

Tensor RandomF32(const Shape& shape, const RandomKey& key, double low, double high) {
  return Random(shape, DType::kF32, key, low, high);
}

Tensor RandomF64(const Shape& shape, const RandomKey& key, double low, double high) {
  return Random(shape, DType::kF64, key, low, high);
}

Tensor RandomBools(const Shape& shape, const RandomKey& key) {
  Tensor tensor = Tensor::Empty(shape, DType::kBool);
  RandomSequence random(key);
  for (int64_t i = 0; i < tensor.numel(); ++i) tensor.mutable_data<bool>()[i] = random.Below(2) == 0;
  return tensor;
}

Tensor RandomAwayFromZero(const Shape& shape, const RandomKey& key) {
  Tensor tensor = RandomF64(shape, key);
  double* x = tensor.mutable_data<double>();
  for (int64_t i = 0; i < tensor.numel(); ++i) x[i] += x[i] < 0 ? -0.25 : 0.25;
  return tensor;
}

Tensor RandomIndices(const Shape& shape, uint32_t bound, const RandomKey& key) {
  Tensor tensor = Tensor::Empty(shape, DType::kI32);
  RandomSequence sequence(key);
  int32_t* index = tensor.mutable_data<int32_t>();
  for (int64_t i = 0; i < tensor.numel(); ++i) index[i] = static_cast<int32_t>(sequence.Below(bound));
  return tensor;
}

void ExpectClose(const Tensor& actual, const Tensor& expected, double rtol, double atol, const char* file, int line) {
  if (!SameKind(actual, expected, file, line)) return;
  for (int64_t i = 0; i < actual.numel(); ++i) {
    const double a = At(actual, i), e = At(expected, i);
    if (a == e || (std::isnan(a) && std::isnan(e)) || std::abs(a - e) <= atol + rtol * std::abs(e)) continue;
    return ReportElement(actual, expected, i, file, line);
  }
}

void ExpectBitEqual(const Tensor& actual, const Tensor& expected, const char* file, int line) {
  if (!SameKind(actual, expected, file, line)) return;
  const size_t size = SizeOf(actual.dtype());
  for (int64_t i = 0; i < actual.numel(); ++i) {
    const size_t at = static_cast<size_t>(i) * size;
    if (std::memcmp(actual.raw() + at, expected.raw() + at, size) != 0) {
      return ReportElement(actual, expected, i, file, line);
    }
  }
}

}  // namespace twofour::test
