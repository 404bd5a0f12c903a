#include "twofour/sparse/formats/packed_vnm.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F32;
using ::testing::HasSubstr;

/// Random numbers under a V:N:M mask; some of those that are kept are zero.
Tensor VnmWeight(int64_t rows, int64_t cols, const VnmPattern& pattern, DType dtype = DType::kF32) {
  const Tensor scores = test::RandomF32({rows, cols}, {.seed = 5});
  Tensor weight = ApplyMask(scores, FindVnmMask(scores, pattern));
  for (int64_t i = 0; i < weight.numel(); i += 7) weight.mutable_data<float>()[i] = 0;
  return weight.To(dtype);
}

size_t BytesOf(const PackedVnm& packed) {
  size_t bytes = 0;
  for (const Tensor& part : {packed.values, packed.positions, packed.columns, packed.pattern}) {
    bytes += static_cast<size_t>(part.numel()) * SizeOf(part.dtype());
  }
  return bytes;
}

TEST(PackedVnmTest, AnyShapeAndPatternComesBack) {
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const auto& [v, m] : std::vector<std::pair<int, int>>{{4, 5}, {4, 8}, {8, 6}, {64, 8}, {16, 32}}) {
      for (const Shape& shape : {Shape{1, 1}, Shape{4, 8}, Shape{7, 19}, Shape{66, 33}, Shape{70, 64}, Shape{5, 3},
                                 Shape{0, 9}, Shape{9, 0}}) {
        for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
          const VnmPattern pattern{.v = v, .m = m, .inner = inner};
          SCOPED_TRACE(fmt::format("{} {} {}", pattern.ToString(), ToString(shape), NameOf(dtype)));
          const Tensor weight = VnmWeight(shape[0], shape[1], pattern, dtype);
          ExpectBitEqual(UnpackVnm(PackVnm(weight, pattern, "w"), "w"), weight);
        }
      }
    }
  }
}

TEST(PackedVnmTest, IsWhatTheDescriptionSays) {
  // 4:2:6 of five rows and eight columns: two blocks of rows, the groups have six columns and two.
  Tensor weight = Tensor::Zeros({5, 8});
  const auto set = [&](int64_t row, int64_t col, float value) { weight.mutable_data<float>()[row * 8 + col] = value; };
  set(0, 1, 1), set(0, 5, 2), set(1, 2, 3), set(1, 4, 4), set(3, 4, 5), set(3, 7, 6), set(4, 3, 7);
  const PackedVnm packed = PackVnm(weight, {.v = 4, .m = 6}, "w");
  ExpectBitEqual(packed.values,
                 F32({1, 2, 0, 0, /**/ 3, 4, 0, 0, /**/ 0, 0, 0, 0, /**/ 0, 5, 0, 6, /**/ 0, 7, 0, 0}, {5, 4}));
  // The first block uses four columns of its first group. Where fewer are used, the first others stand in.
  EXPECT_EQ(packed.columns.shape(), (Shape{2, 2, 4}));
  const std::vector<uint8_t> columns = {1, 2, 4, 5, 0, 1, 2, 3, /**/ 0, 1, 2, 3, 0, 1, 2, 3};
  EXPECT_EQ(std::memcmp(packed.columns.raw(), columns.data(), columns.size()), 0);
  // The first group in the low four bits.
  const std::vector<uint8_t> positions = {0 | 3 << 2 | 0 << 4 | 1 << 6, 1 | 2 << 2 | 0 << 4 | 1 << 6,
                                          0 | 1 << 2 | 0 << 4 | 1 << 6, 0 | 2 << 2 | 0 << 4 | 1 << 6,
                                          0 | 3 << 2 | 0 << 4 | 1 << 6};
  EXPECT_EQ(packed.positions.shape(), (Shape{5, 1}));
  EXPECT_EQ(std::memcmp(packed.positions.raw(), positions.data(), positions.size()), 0);
  EXPECT_EQ(packed.pattern.shape(), Shape{5});
  const int64_t* const numbers = packed.pattern.data<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(numbers, numbers + 5), (std::vector<int64_t>{5, 8, 4, 2, 6}));
}

TEST(PackedVnmTest, TakesAtMostThreeTenthsOfTheDenseBytesInBf16) {
  const VnmPattern pattern{.v = 64, .m = 8};
  const PackedVnm packed = PackVnm(VnmWeight(256, 512, pattern, DType::kBF16), pattern, "w");
  const size_t blocks = 4 * 64;
  EXPECT_EQ(BytesOf(packed), 256 * 512 / 8 * (2 * 2) + 256 * 512 / 16 + 4 * blocks + 40);
  EXPECT_LE(static_cast<double>(BytesOf(packed)), 0.30 * 256 * 512 * 2);
}

TEST(PackedVnmTest, RefusesWeightsWithoutThePattern) {
  Tensor weight = Tensor::Zeros({10, 16});
  const auto set = [&](int64_t row, int64_t col, float value) { weight.mutable_data<float>()[row * 16 + col] = value; };
  for (int64_t i = 0; i < 4; ++i) set(8 + i % 2, 8 + 2 * i, 1);
  EXPECT_NO_THROW(PackVnm(weight, {.v = 8, .m = 8}, "w"));
  set(9, 9, std::numeric_limits<float>::quiet_NaN());
  EXPECT_ERROR(
      PackVnm(weight, {.v = 8, .m = 8}, "tensor 'a'"), ErrorKind::kInvalidInput,
      "tensor 'a': is not 8:2:8: 5 columns are not zero in rows 8 to 9, columns 8 to 15; at most 4 are allowed");
  set(9, 9, -0.0f);
  set(9, 8, 1);
  EXPECT_ERROR(PackVnm(weight, {.v = 8, .m = 8}, "a"), ErrorKind::kInvalidInput,
               "a: is not 8:2:8: 3 non-zero entries in row 9, columns 8 to 15; at most 2 are allowed");
  const std::string expected = ", expected V:2:M with V a multiple of 4 from 4 to 256 and M from 5 to 32";
  EXPECT_ERROR(PackVnm(weight, {.v = 6, .m = 8}, "a"), ErrorKind::kInvalidInput, "a: pattern 6:2:8" + expected);
  EXPECT_ERROR(PackVnm(weight, {.v = 8, .n = 1, .m = 8}, "a"), ErrorKind::kInvalidInput, "a: pattern 8:1:8" + expected);
  EXPECT_ERROR(PackVnm(F32({1}, {1}), {}, "a"), ErrorKind::kInvalidInput, HasSubstr("a: f32 [1], expected a matrix"));
}

class PackedVnmPartsTest : public ::testing::Test {
 protected:
  /// Packs 4:2:6 [6, 15], changes the parts and unpacks them.
  template <typename Change>
  static void With(const Change& change) {
    const VnmPattern pattern{.v = 4, .m = 6};
    PackedVnm packed = PackVnm(VnmWeight(6, 15, pattern), pattern, "w");
    change(packed);
    UnpackVnm(packed, "w");
  }
  static auto Pattern(std::vector<int64_t> numbers) {
    return [numbers](PackedVnm& p) {
      p.pattern = Tensor::FromVector<int64_t>(numbers, {static_cast<int64_t>(numbers.size())});
    };
  }
  static auto Byte(Tensor PackedVnm::*part, int64_t at, int value) {
    return [part, at, value](PackedVnm& p) { (p.*part).mutable_data<uint8_t>()[at] = static_cast<uint8_t>(value); };
  }
};

TEST_F(PackedVnmPartsTest, SizesMustFitTogether) {
  With([](auto&) {});
  const auto expect = [](const auto& change, const std::string& message) {
    EXPECT_ERROR(With(change), ErrorKind::kInvalidInput, message);
  };
  expect(Pattern({6, 21, 4, 2, 6}), "w: values are f32 [6, 6], expected f64, f32, f16 or bf16 [6, 8]");
  expect(Pattern({6, 15, 12, 2, 6}), "w: columns are u8 [2, 3, 4], expected u8 [1, 3, 4]");
  expect(Pattern({-6, 15, 4, 2, 6}), "w: shape and pattern -6, 15, 4, 2, 6, expected numbers from 0 to 2147483647");
  expect(Pattern({6, int64_t{1} << 62, 4, 2, 6}),
         "w: shape and pattern 6, 4611686018427387904, 4, 2, 6, expected numbers from 0 to 2147483647");
  expect(Pattern({6, 15, 4, 2, 33}),
         "w: pattern 4:2:33, expected V:2:M with V a multiple of 4 from 4 to 256 and M from 5 to 32");
  expect(Pattern({6, 15, 0, 2, 6}),
         "w: pattern 0:2:6, expected V:2:M with V a multiple of 4 from 4 to 256 and M from 5 to 32");
  expect(Pattern({6, 15, 2, 6}), "w: pattern is i64 [4], expected i64 [5]: rows, columns, V, N, M");
  expect([](auto& p) { p.values = p.values.To(DType::kI32); },
         "w: values are i32 [6, 6], expected f64, f32, f16 or bf16 [6, 6]");
  expect(
      [](auto& p) {
        p.positions = Tensor::Zeros({6, 3}, DType::kU8);
      },
      "w: positions are u8 [6, 3], expected u8 [6, 2]");
  expect(
      [](auto& p) {
        p.columns = Tensor::Zeros({2, 3, 4}, DType::kI8);
      },
      "w: columns are i8 [2, 3, 4], expected u8 [2, 3, 4]");
  // Very many rows of no columns take no bytes.
  PackedVnm empty = PackVnm(Tensor::Zeros({0, 0}), {}, "w");
  const int64_t rows = std::numeric_limits<int32_t>::max();
  empty = {.values = Tensor::Zeros({rows, 0}),
           .positions = Tensor::Zeros({rows, 0}, DType::kU8),
           .columns = Tensor::Zeros({int64_t{1} << 25, 0, 4}, DType::kU8),
           .pattern = Tensor::FromVector<int64_t>({rows, 0, 64, 2, 8}, {5})};
  EXPECT_EQ(UnpackVnm(empty, "w").shape(), (Shape{rows, 0}));
}

TEST_F(PackedVnmPartsTest, IndicesMustStayInTheirBlock) {
  const auto expect = [](const auto& change, const std::string& message) {
    EXPECT_ERROR(With(change), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  // Column 3 of the second block of rows and the second group of columns.
  expect(Byte(&PackedVnm::columns, 4 * (3 + 1) + 3, 6), "w: rows 4 to 5, columns 6 to 11: keeps columns ");
  expect(Byte(&PackedVnm::columns, 4 * (3 + 1) + 3, 6), ", 6 of the block, expected four that ascend from 0 to 5");
  expect(Byte(&PackedVnm::columns, 0, 255), "w: rows 0 to 3, columns 0 to 5: keeps columns 255, ");
  expect(
      [](auto& p) {
        for (const int i : {0, 1}) p.columns.template mutable_data<uint8_t>()[4 + i] = 0;
      },
      "w: rows 0 to 3, columns 6 to 11: keeps columns 0, 0, ");
  expect(Byte(&PackedVnm::positions, 2 * 2, 0 | 1 << 2 | 2 << 4 | 2 << 6),
         "w: row 2: columns 6 to 11: positions 2 and 2, expected two that ascend");
  expect(Byte(&PackedVnm::positions, 2 * 5 + 1, 3 | 1 << 2),
         "w: row 5: columns 12 to 14: positions 3 and 1, expected two that ascend");
  expect(Byte(&PackedVnm::positions, 2 * 5 + 1, 0 | 1 << 2 | 1 << 4), "w: row 5: bits are set after its last position");
  expect(
      [](auto& p) {  // The last group has columns 12 to 14 of its matrix.
        p.positions.template mutable_data<uint8_t>()[2 * 1 + 1] = 0 | 3 << 2;
        p.values.template mutable_data<float>()[6 * 1 + 5] = 1;
      },
      "w: row 1: value 5 is not 0, but lies in column 15 of 15");
}

}  // namespace
}  // namespace twofour::sparse
