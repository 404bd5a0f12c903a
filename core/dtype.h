#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "twofour/core/float8.h"
#include "twofour/core/half.h"

namespace twofour {

/// Element type of a Tensor. Ops compute in kF32, and in kF64 so that each can be checked against finite differences
/// in double precision. Activations may be kF16 or kBF16 (see GoesWith). kI32 holds class labels and token ids, kBool
/// masks. kF8E4M3 and kF8E5M2 are for storage, as the integers are: numbers of 8 bits mean little without a scale
/// beside them (see quantize.h), so ops do not take them. All twelve can be stored, saved, loaded and converted (see
/// Cast).
///
/// A new dtype needs a value here, a row of kDTypes and a type of ElementTypes.
enum class DType : uint8_t { kF64, kF32, kF16, kBF16, kF8E4M3, kF8E5M2, kI64, kI32, kI16, kI8, kU8, kBool };

/// kFloat8 is a kind of its own, because code that takes the floating dtypes computes with their elements and hands out
/// gradients, and does neither with numbers of 8 bits.
enum class DTypeKind : uint8_t { kFloating, kFloat8, kInteger, kBool };

/// The properties of a dtype.
struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::string_view safetensors_name;  ///< Its name in files.
  size_t bytes;                       ///< Size of one element.
  DTypeKind kind;
};

/// All dtypes, in the order of the enum.
inline constexpr DTypeInfo kDTypes[] = {
    {DType::kF64, "f64", "F64", 8, DTypeKind::kFloating},
    {DType::kF32, "f32", "F32", 4, DTypeKind::kFloating},
    {DType::kF16, "f16", "F16", 2, DTypeKind::kFloating},
    {DType::kBF16, "bf16", "BF16", 2, DTypeKind::kFloating},
    {DType::kF8E4M3, "f8_e4m3", "F8_E4M3", 1, DTypeKind::kFloat8},
    {DType::kF8E5M2, "f8_e5m2", "F8_E5M2", 1, DTypeKind::kFloat8},
    {DType::kI64, "i64", "I64", 8, DTypeKind::kInteger},
    {DType::kI32, "i32", "I32", 4, DTypeKind::kInteger},
    {DType::kI16, "i16", "I16", 2, DTypeKind::kInteger},
    {DType::kI8, "i8", "I8", 1, DTypeKind::kInteger},
    {DType::kU8, "u8", "U8", 1, DTypeKind::kInteger},
    {DType::kBool, "bool", "BOOL", 1, DTypeKind::kBool},
};

/// The C++ types of the elements, in the same order. uint8_t and bool take a byte each and are nevertheless different:
/// the elements of kBool are read and written as bool only.
using ElementTypes = std::tuple<double, float, Float16, BFloat16, Float8E4M3, Float8E5M2, int64_t, int32_t, int16_t,
                                int8_t, uint8_t, bool>;
template <DType dtype>
using ElementType = std::tuple_element_t<static_cast<size_t>(dtype), ElementTypes>;

constexpr const DTypeInfo& InfoOf(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }
/// Bytes of one element.
constexpr size_t SizeOf(DType dtype) { return InfoOf(dtype).bytes; }
/// "f32", "bool" and so on.
constexpr std::string_view NameOf(DType dtype) { return InfoOf(dtype).name; }
/// f64, f32, f16 and bf16: those that can have a gradient.
constexpr bool IsFloating(DType dtype) { return InfoOf(dtype).kind == DTypeKind::kFloating; }
/// f8_e4m3 and f8_e5m2: floating numbers that are stored and have no gradient.
constexpr bool IsFloat8(DType dtype) { return InfoOf(dtype).kind == DTypeKind::kFloat8; }
/// f16 and bf16: floating dtypes that results are rounded to, but that nothing is added up in.
constexpr bool IsHalf(DType dtype) { return IsFloating(dtype) && SizeOf(dtype) == 2; }
/// Whether a gradient of `dtype` goes with a tensor of dtype `master`, or an activation with a weight: one of the same
/// dtype does. With f32, in which master weights are kept, so do f16 and bf16, which f32 holds without loss. Two
/// activations must have one dtype.
constexpr bool GoesWith(DType dtype, DType master) {
  return dtype == master || (master == DType::kF32 && IsHalf(dtype));
}

namespace internal {

/// The index of T in ElementTypes; the number of types where T is none of them.
template <typename T, size_t at = 0>
constexpr size_t PlaceOfElementType() {
  if constexpr (at == std::tuple_size_v<ElementTypes>) {
    return at;
  } else if constexpr (std::is_same_v<T, std::tuple_element_t<at, ElementTypes>>) {
    return at;
  } else {
    return PlaceOfElementType<T, at + 1>();
  }
}

}  // namespace internal

/// The DType whose elements are of type T.
template <typename T>
constexpr DType DTypeOf() {
  constexpr size_t place = internal::PlaceOfElementType<T>();
  static_assert(place < std::tuple_size_v<ElementTypes>,
                "a Tensor holds elements of type double, float, Float16, BFloat16, Float8E4M3, Float8E5M2, int64_t, "
                "int32_t, int16_t, int8_t, uint8_t or bool");
  return static_cast<DType>(place);
}

/// The type in which kernels compute with elements of type T: float for those of 16 bits, and T for f32 and f64.
template <typename T>
using ComputeType = std::conditional_t<IsHalf(DTypeOf<T>()), float, T>;
/// The same as a dtype.
constexpr DType ComputeDType(DType dtype) { return IsHalf(dtype) ? DType::kF32 : dtype; }

/// Calls `function` with a zero of the C++ type of `dtype`'s elements.
template <size_t at = 0, typename F>
void DispatchDType(DType dtype, F&& function) {
  if (static_cast<size_t>(dtype) == at) {
    function(std::tuple_element_t<at, ElementTypes>{});
  } else if constexpr (at + 1 < std::tuple_size_v<ElementTypes>) {
    DispatchDType<at + 1>(dtype, function);
  }
}

/// Throws the Error of an op that was given a dtype other than f32 and f64.
[[noreturn]] void ThrowUnsupportedDType(std::string_view op, DType dtype);

/// Calls `function(float{})` or `function(double{})` as `dtype` says; any other dtype is an Error
/// that names `op`.
template <typename F>
decltype(auto) DispatchF32OrF64(DType dtype, std::string_view op, F&& function) {
  if (dtype == DType::kF32) return function(float{});
  if (dtype == DType::kF64) return function(double{});
  ThrowUnsupportedDType(op, dtype);
}

/// The same for kernels that also take bf16, for which it calls `function(BFloat16{})`.
template <typename F>
decltype(auto) DispatchF32F64OrBF16(DType dtype, std::string_view op, F&& function) {
  if (dtype == DType::kBF16) return function(BFloat16{});
  return DispatchF32OrF64(dtype, op, function);
}

/// The same for kernels that take every floating dtype, as IsFloating names them.
template <typename F>
decltype(auto) DispatchFloating(DType dtype, std::string_view op, F&& function) {
  if (dtype == DType::kF16) return function(Float16{});
  return DispatchF32F64OrBF16(dtype, op, function);
}

}  // namespace twofour
