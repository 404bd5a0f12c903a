#include "twofour/core/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string_view>
#include <type_traits>

#include "twofour/core/error.h"

namespace twofour {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(DTypeTest, SizesAndNames) {
  EXPECT_EQ(SizeOf(DType::kF32), sizeof(float));
  EXPECT_EQ(SizeOf(DType::kF64), sizeof(double));
  EXPECT_EQ(SizeOf(DType::kBF16), 2u);
  EXPECT_EQ(SizeOf(DType::kI32), sizeof(int32_t));
  EXPECT_EQ(SizeOf(DType::kBool), 1u);
  EXPECT_EQ(NameOf(DType::kF32), "f32");
  EXPECT_EQ(NameOf(DType::kF64), "f64");
  EXPECT_EQ(NameOf(DType::kBF16), "bf16");
  EXPECT_EQ(NameOf(DType::kI32), "i32");
  EXPECT_EQ(NameOf(DType::kBool), "bool");
  EXPECT_EQ(InfoOf(DType::kBool).safetensors_name, "BOOL");
  EXPECT_EQ(SizeOf(DType::kF8E4M3), 1u);
  EXPECT_EQ(NameOf(DType::kF8E4M3), "f8_e4m3");
  EXPECT_EQ(InfoOf(DType::kF8E4M3).safetensors_name, "F8_E4M3");
  EXPECT_EQ(NameOf(DType::kF8E5M2), "f8_e5m2");
  EXPECT_EQ(InfoOf(DType::kF8E5M2).safetensors_name, "F8_E5M2");
}

TEST(DTypeTest, TheTableFitsTheTypes) {
  std::set<std::string_view> names, safetensors_names;
  for (const DTypeInfo& info : kDTypes) {
    SCOPED_TRACE(info.name);
    EXPECT_EQ(&InfoOf(info.dtype), &info);
    EXPECT_TRUE(names.insert(info.name).second);
    EXPECT_TRUE(safetensors_names.insert(info.safetensors_name).second);
    int calls = 0;
    DispatchDType(info.dtype, [&](auto zero) {
      using T = decltype(zero);
      ++calls;
      EXPECT_EQ(DTypeOf<T>(), info.dtype);
      EXPECT_EQ(sizeof(T), info.bytes);
      const bool is_integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;
      EXPECT_EQ(is_integer, info.kind == DTypeKind::kInteger);
      EXPECT_EQ((std::is_same_v<T, bool>), info.kind == DTypeKind::kBool);
    });
    EXPECT_EQ(calls, 1);
  }
}

TEST(DTypeTest, BytesAndBoolsAreDifferentTypes) {
  static_assert(DTypeOf<bool>() == DType::kBool && DTypeOf<uint8_t>() == DType::kU8);
  static_assert(std::is_same_v<ElementType<DType::kBool>, bool> && std::is_same_v<ElementType<DType::kU8>, uint8_t>);
}

TEST(DTypeTest, Floating) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16}) EXPECT_TRUE(IsFloating(dtype));
  for (const DType dtype : {DType::kI64, DType::kI32, DType::kI16, DType::kI8, DType::kU8, DType::kBool}) {
    EXPECT_FALSE(IsFloating(dtype));
    EXPECT_FALSE(IsFloat8(dtype));
  }
}

TEST(DTypeTest, FloatsOfEightBitsAreStoredAndNotComputedWith) {
  for (const DType dtype : {DType::kF8E4M3, DType::kF8E5M2}) {
    EXPECT_TRUE(IsFloat8(dtype));
    EXPECT_FALSE(IsFloating(dtype) || IsHalf(dtype));
    EXPECT_FALSE(GoesWith(dtype, DType::kF32) || GoesWith(DType::kF32, dtype));
    EXPECT_THAT([&] { DispatchFloating(dtype, "Op", [](auto) {}); }, ThrowsMessage<Error>(HasSubstr(NameOf(dtype))));
  }
}

TEST(DTypeTest, DispatchF32OrF64) {
  const auto is_double = [](auto zero) { return std::is_same_v<decltype(zero), double>; };
  EXPECT_FALSE(DispatchF32OrF64(DType::kF32, "Op", is_double));
  EXPECT_TRUE(DispatchF32OrF64(DType::kF64, "Op", is_double));
  EXPECT_THAT([&] { DispatchF32OrF64(DType::kI32, "Op", is_double); },
              ThrowsMessage<Error>(HasSubstr("Op: got a tensor of dtype i32, expected f32 or f64")));
  EXPECT_THAT([&] { DispatchF32OrF64(DType::kBF16, "Op", is_double); }, ThrowsMessage<Error>(HasSubstr("bf16")));
  EXPECT_THAT([&] { DispatchF32OrF64(DType::kBool, "Op", is_double); }, ThrowsMessage<Error>(HasSubstr("bool")));
}

}  // namespace
}  // namespace twofour
