#include "twofour/core/ops/cast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "twofour/core/convert_element.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"

#include "tests/support/narrow_float.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using internal::kIsNarrow;
using test::ExpectBitEqual;
using test::F32;
using test::F64;
using test::I32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// All patterns of a type of up to 16 bits. For wider types: numbers near powers of two, the special numbers, and
/// random patterns.
template <typename T>
std::vector<T> Values() {
  std::vector<T> values;
  if constexpr (std::is_same_v<T, bool>) {
    return {false, true};
  } else if constexpr (sizeof(T) == 1) {
    for (int i = 0; i < 256; ++i) values.push_back(std::bit_cast<T>(static_cast<uint8_t>(i)));
  } else if constexpr (sizeof(T) == 2) {
    for (int i = 0; i < 65536; ++i) values.push_back(std::bit_cast<T>(static_cast<uint16_t>(i)));
  } else {
    using Limits = std::numeric_limits<T>;
    values = {T{0}, Limits::min(), Limits::max(), Limits::lowest()};
    const auto random_pattern = [&](std::mt19937_64& random) {
      const uint64_t bits = random();
      T value;
      std::memcpy(&value, &bits, sizeof(T));
      return value;
    };
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) values.push_back(random_pattern(random));
    if constexpr (std::is_integral_v<T>) {
      for (int bit = 0; bit < Limits::digits; ++bit) {
        const T power = static_cast<T>(T{1} << bit);
        for (const T near : {static_cast<T>(power - 1), power, static_cast<T>(power + (bit > 0 ? 1 : 0))}) {
          values.push_back(near);
          values.push_back(static_cast<T>(-near));
        }
      }
    } else {
      for (const T x : {T{0}, Limits::infinity(), Limits::quiet_NaN(), Limits::denorm_min()}) {
        values.push_back(x);
        values.push_back(-x);
      }
      const T zero{0}, infinity = Limits::infinity();
      for (int bit = -30; bit < 70; ++bit) {
        for (const T factor : {T{1}, T{-1}}) {
          const T power = std::ldexp(factor, bit);
          for (const T x : {power, power - 1, power + 1, power - T{0.5}, power + T{0.5}, std::nextafter(power, zero),
                            std::nextafter(power, factor * infinity)}) {
            values.push_back(x);
          }
        }
      }
      for (const double x :
           {448.0, 464.0, 464.1, 480.0, 57344.0, 61439.9, 61440.0, 65504.0, 65519.9, 65520.0, 3.38953139e38, 3.4e38}) {
        values.push_back(static_cast<T>(x));
        values.push_back(static_cast<T>(-x));
      }
    }
  }
  return values;
}

/// The value of an element. long double holds i64 and f64 exactly.
template <typename T>
long double Exact(T x) {
  if constexpr (kIsNarrow<T>) {
    return test::FormatOf<T>().Value(x.bits());
  } else {
    return static_cast<long double>(x);
  }
}

/// An integer modulo 2^bits, in the range of To.
template <typename To, typename From>
long double Wrapped(From x) {
  constexpr int kBits = 8 * sizeof(To);
  const auto pattern = static_cast<uint64_t>(static_cast<int64_t>(x));
  const uint64_t low = kBits == 64 ? pattern : pattern % (uint64_t{1} << kBits % 64);
  const auto value = static_cast<long double>(low);
  const bool is_negative = std::is_signed_v<To> && low >> (kBits - 1) != 0;
  return is_negative ? value - std::ldexp(1.0L, kBits) : value;
}

/// What the table in cast.h says about one number.
template <typename To, typename From>
long double Expected(From x) {
  const long double value = Exact(x);
  if constexpr (std::is_same_v<To, bool>) {
    return value == 0 ? 0 : 1;
  } else if constexpr (std::is_integral_v<To> && std::is_integral_v<From>) {
    return Wrapped<To>(x);
  } else if constexpr (std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    const long double least = Limits::min(), most = Limits::max();
    return std::isnan(value) ? 0 : std::min(std::max(std::trunc(value), least), most);
  } else if constexpr (kIsNarrow<To>) {
    return test::FormatOf<To>().Nearest(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <typename To, typename From>
void ExpectCasts(const std::vector<From>& values) {
  const Tensor x = Tensor::FromVector(values, {static_cast<int64_t>(values.size())});
  const Tensor y = Cast(x, DTypeOf<To>());
  ASSERT_EQ(y.shape(), x.shape());
  const To* result = y.data<To>();
  for (size_t i = 0; i < values.size(); ++i) {
    const long double actual = Exact<To>(result[i]), expected = Expected<To, From>(values[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(actual)) << i;
    } else {
      ASSERT_EQ(actual, expected) << i << ": " << Exact<From>(values[i]);
    }
    if constexpr (!std::is_integral_v<From> && !std::is_integral_v<To>) {
      ASSERT_EQ(std::signbit(actual), std::signbit(Exact<From>(values[i]))) << i;
    }
  }
}

TEST(CastTest, AllPairsFollowTheTable) {
  static_assert(std::numeric_limits<long double>::digits >= 64);
  for (const DTypeInfo& from : kDTypes) {
    for (const DTypeInfo& to : kDTypes) {
      if (from.dtype == to.dtype) continue;
      SCOPED_TRACE(std::string(from.name) + " to " + std::string(to.name));
      DispatchDType(from.dtype, [&](auto from_zero) {
        DispatchDType(to.dtype, [&](auto to_zero) {
          using From = decltype(from_zero);
          using To = decltype(to_zero);
          if constexpr (!std::is_same_v<From, To>) ExpectCasts<To>(Values<From>());
        });
      });
    }
  }
}

TEST(CastTest, SomeByHand) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  const Tensor x = F32({-1.9F, 0.5F, 300, -infinity, nan}, {5});
  ExpectBitEqual(Cast(x, DType::kI8), Tensor::FromVector<int8_t>({-1, 0, 127, -128, 0}, {5}));
  ExpectBitEqual(Cast(x, DType::kU8), Tensor::FromVector<uint8_t>({0, 0, 255, 0, 0}, {5}));
  ExpectBitEqual(Cast(x, DType::kBool), Tensor::FromVector<bool>({true, true, true, true, true}, {5}));
  ExpectBitEqual(Cast(I32({300, -1}, {2}), DType::kU8), Tensor::FromVector<uint8_t>({44, 255}, {2}));
  ExpectBitEqual(Cast(F32({1e6F, 1.00048828125F}, {2}), DType::kF16),
                 Tensor::FromVector<Float16>({Float16(infinity), Float16(1)}, {2}));
  // The cast goes through f32, which loses the last bit that would have decided.
  ExpectBitEqual(Cast(F64({1 + 0x1p-11 + 0x1p-40}, {1}), DType::kF16), Tensor::FromVector<Float16>({Float16(1)}, {1}));
}

TEST(CastTest, EmptyAndScalarAndSameDType) {
  ExpectBitEqual(Cast(F32({}, {0, 3}), DType::kBF16), Tensor::Empty({0, 3}, DType::kBF16));
  ExpectBitEqual(Cast(F32({2}, {}), DType::kI64), Tensor::FromVector<int64_t>({2}, {}));
  const Tensor x = F32({1}, {1});
  EXPECT_EQ(Cast(x, DType::kF32).impl(), x.impl());
  EXPECT_THAT([] { Cast(Tensor(), DType::kF32); }, ThrowsMessage<Error>(HasSubstr("Cast: x is undefined")));
}

TEST(CastTest, GradientsAreCastBack) {
  for (const DType from : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16}) {
    for (const DType to : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16}) {
      SCOPED_TRACE(std::string(NameOf(from)) + " to " + std::string(NameOf(to)));
      Tensor x = Cast(F64({1, -2, 3}, {3}), from);
      x.set_requires_grad();
      const Tensor dy = Cast(F64({0.1, 1e-9, -70000}, {3}), to);
      Cast(x, to).Backward(dy);
      ExpectBitEqual(x.grad(), Cast(dy, from));
    }
  }
}

TEST(CastTest, GradientsOfSixteenBitsAreSummed) {
  for (const DType narrow : {DType::kF16, DType::kBF16}) {
    Tensor x = F32({1, 2}, {2}).set_requires_grad();
    const Tensor y = Cast(x, narrow);
    Add(Cast(y, DType::kF32), Scale(Cast(y, DType::kF32), 0.1)).Backward(F32({1, 3}, {2}));
    // Each use's gradient is rounded to 16 bits, and so is their sum.
    const auto rounded = [&](const std::vector<float>& values) {
      return Cast(Cast(F32(values, {2}), narrow), DType::kF32);
    };
    const std::vector<float> part = rounded({0.1F, 3 * 0.1F}).ToVector();
    ExpectBitEqual(x.grad(), rounded({1 + part[0], 3 + part[1]}));
    Tensor leaf = y.Detach().set_requires_grad();
    for (int round = 0; round < 2; ++round) Cast(leaf, DType::kF32).Backward(F32({1, 3}, {2}));
    ExpectBitEqual(leaf.grad(), Cast(F32({2, 6}, {2}), narrow));
  }
}

TEST(CastTest, IntegersAndBoolsHaveNoGradient) {
  const Tensor x = F32({1.5, 0}, {2}).set_requires_grad();
  for (const DTypeInfo& info : kDTypes) {
    EXPECT_EQ(Cast(x, info.dtype).requires_grad(), IsFloating(info.dtype)) << info.name;
    EXPECT_FALSE(Cast(x.Detach(), info.dtype).requires_grad()) << info.name;
  }
  EXPECT_FALSE(Cast(I32({1}, {1}), DType::kF32).requires_grad());
}

}  // namespace
}  // namespace twofour
