#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace twofour {

/// Element type of a Tensor. Training runs in kF32; kF64 exists so that every op can be checked
/// against double-precision finite differences; kI32 holds class labels and token ids; kBool holds
/// masks (one byte, 0 or 1).
enum class DType { kF32, kF64, kI32, kBool };

/// Bytes of one element.
size_t SizeOf(DType dtype);

/// "f32", "f64", "i32", "bool".
std::string_view NameOf(DType dtype);

inline bool IsFloating(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF64; }

/// The DType that holds elements of type T: float, double, int32_t, and bool or uint8_t for kBool.
template <typename T>
constexpr DType DTypeOf() {
  if constexpr (std::is_same_v<T, float>) {
    return DType::kF32;
  } else if constexpr (std::is_same_v<T, double>) {
    return DType::kF64;
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return DType::kI32;
  } else {
    static_assert(std::is_same_v<T, bool> || std::is_same_v<T, uint8_t>,
                  "a Tensor holds elements of type float, double, int32_t, or bool (also as uint8_t)");
    return DType::kBool;
  }
}

/// Throws the Error of an op that was given a dtype it does not take.
[[noreturn]] void ThrowUnsupportedDType(std::string_view op, DType dtype);

/// Calls `function(float{})` or `function(double{})` as `dtype` says; any other dtype is an Error
/// that names `op`.
template <typename F>
decltype(auto) DispatchFloating(DType dtype, std::string_view op, F&& function) {
  switch (dtype) {
    case DType::kF32:
      return function(float{});
    case DType::kF64:
      return function(double{});
    default:
      ThrowUnsupportedDType(op, dtype);
  }
}

}  // namespace twofour
