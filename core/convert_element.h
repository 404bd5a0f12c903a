#pragma once

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "twofour/core/float8.h"
#include "twofour/core/half.h"

namespace twofour {
namespace internal {

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
template <typename T>
inline constexpr bool kIsFloat8 = std::is_same_v<T, Float8E4M3> || std::is_same_v<T, Float8E5M2>;
/// Whether T is a floating type that the language lacks, whose elements are converted by way of float.
template <typename T>
inline constexpr bool kIsNarrow = kIsHalf<T> || kIsFloat8<T>;

/// The smallest number that is too large for an integer type: 2^d where it has d bits besides its sign. Exact in every
/// floating type.
template <typename Integer, typename Floating>
inline constexpr Floating kFirstTooLarge = Floating{2} *
                                           static_cast<Floating>(std::numeric_limits<Integer>::max() / 2 + Integer{1});

/// `x` without its fraction. Out of range, the nearest integer of the type; for a NaN, 0.
template <typename Integer, typename Floating>
constexpr Integer Saturate(Floating x) {
  using Limits = std::numeric_limits<Integer>;
  if (x >= kFirstTooLarge<Integer, Floating>) return Limits::max();
  if (x <= static_cast<Floating>(Limits::min())) return Limits::min();
  return x == x ? static_cast<Integer>(x) : Integer{0};
}

}  // namespace internal

/// A number as an element of another dtype, by the rules of Cast.
template <typename To, typename From>
constexpr To ConvertElement(From x) {
  if constexpr (internal::kIsNarrow<From>) {
    return ConvertElement<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From{0};
  } else if constexpr (internal::kIsNarrow<To>) {
    return To(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return internal::Saturate<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

/// Whether an element of type To can hold `x`, whose fraction may be cut off. Only integer types refuse anything: bool
/// holds every number, as 0 or not 0, and a floating type holds a number that is too large as an infinity or a NaN.
template <typename To, typename From>
bool HoldsElement(From x) {
  if constexpr (internal::kIsNarrow<From>) {
    return HoldsElement<To>(static_cast<float>(x));
  } else if constexpr (!std::is_integral_v<To> || std::is_same_v<To, bool> || std::is_same_v<From, bool>) {
    return true;
  } else if constexpr (std::is_floating_point_v<From>) {
    const From whole = std::trunc(x);
    return whole >= static_cast<From>(std::numeric_limits<To>::min()) && whole < internal::kFirstTooLarge<To, From>;
  } else {
    return std::in_range<To>(x);
  }
}

}  // namespace twofour
