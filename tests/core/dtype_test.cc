#include "twofour/core/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <type_traits>

#include "twofour/core/error.h"

namespace twofour {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(DTypeTest, SizesAndNames) {
  EXPECT_EQ(SizeOf(DType::kF32), sizeof(float));
  EXPECT_EQ(SizeOf(DType::kF64), sizeof(double));
  EXPECT_EQ(SizeOf(DType::kI32), sizeof(int32_t));
  EXPECT_EQ(SizeOf(DType::kBool), 1u);
  EXPECT_EQ(NameOf(DType::kF32), "f32");
  EXPECT_EQ(NameOf(DType::kF64), "f64");
  EXPECT_EQ(NameOf(DType::kI32), "i32");
  EXPECT_EQ(NameOf(DType::kBool), "bool");
}

TEST(DTypeTest, Floating) {
  EXPECT_TRUE(IsFloating(DType::kF32));
  EXPECT_TRUE(IsFloating(DType::kF64));
  EXPECT_FALSE(IsFloating(DType::kI32));
  EXPECT_FALSE(IsFloating(DType::kBool));
}

TEST(DTypeTest, DispatchFloating) {
  const auto is_double = [](auto zero) { return std::is_same_v<decltype(zero), double>; };
  EXPECT_FALSE(DispatchFloating(DType::kF32, "Op", is_double));
  EXPECT_TRUE(DispatchFloating(DType::kF64, "Op", is_double));
  EXPECT_THAT([&] { DispatchFloating(DType::kI32, "Op", is_double); },
              ThrowsMessage<Error>(HasSubstr("Op: got a tensor of dtype i32, expected f32 or f64")));
  EXPECT_THAT([&] { DispatchFloating(DType::kBool, "Op", is_double); }, ThrowsMessage<Error>(HasSubstr("bool")));
}

}  // namespace
}  // namespace twofour
