// The forms in which files keep 2:4 weights: round trips, and what PyTorch and compressed-tensors make of the same
// weights.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/random.h"
#include "twofour/sparse/formats/bitmask24.h"
#include "twofour/sparse/formats/packed_groups.h"
#include "twofour/sparse/formats/semi_structured.h"

#include "tests/support/expect_error.h"
#include "tests/support/fixtures.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::Fixture;
using ::testing::HasSubstr;

/// Random numbers of which each group along a row keeps at most n of m; groups with fewer are among them.
Tensor Weight(int64_t rows, int64_t cols, const GroupPattern& pattern, DType dtype = DType::kF32) {
  Tensor weight = test::RandomF64({rows, cols}, {7}, -2, 2).To(DType::kF32);
  const Tensor order = test::RandomF64({rows, cols}, {8}, 0, 1).To(DType::kF32);
  float* const w = weight.mutable_data<float>();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t begin = 0; begin < cols; begin += pattern.m) {
      const int64_t end = std::min(begin + pattern.m, cols);
      for (int64_t col = begin; col < end; ++col) {
        const float own = order.data<float>()[row * cols + col];
        int64_t before = 0;
        for (int64_t other = begin; other < end; ++other) before += order.data<float>()[row * cols + other] < own;
        if (before >= pattern.n || own < 0.15f) w[row * cols + col] = 0;
      }
    }
  }
  return weight.To(dtype);
}

TEST(PackedGroupsTest, AnyShapeAndPatternComesBack) {
  for (const GroupPattern& pattern :
       std::vector<GroupPattern>{{2, 4}, {1, 4}, {1, 1}, {3, 5}, {4, 8}, {2, 16}, {32, 32}, {1, 32}, {1, 2}}) {
    for (const Shape& shape :
         {Shape{1, 1}, Shape{3, 4}, Shape{5, 7}, Shape{2, 33}, Shape{4, 64}, Shape{0, 4}, Shape{4, 0}}) {
      for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
        SCOPED_TRACE(fmt::format("{} {} {}", pattern.ToString(), ToString(shape), NameOf(dtype)));
        const Tensor weight = Weight(shape[0], shape[1], pattern, dtype);
        const PackedGroups packed = PackGroups(weight, pattern, "w");
        const int64_t groups = (shape[1] + pattern.m - 1) / pattern.m;
        EXPECT_EQ(packed.values.shape(), (Shape{shape[0], groups * pattern.n}));
        ExpectBitEqual(UnpackGroups(packed, "w"), weight);
      }
    }
  }
}

TEST(PackedGroupsTest, IsWhatTheDescriptionSays) {
  // Two rows of six columns: groups of four and of two.
  const PackedGroups packed = PackGroups(F32({0, 5, 0, 7, 0, 9, /**/ 0, 0, 3, 0, 1, 2}, {2, 6}), {2, 4}, "w");
  ExpectBitEqual(packed.values, F32({5, 7, 0, 9, /**/ 0, 3, 1, 2}, {2, 4}));
  // Places 1, 3, 0, 1 and 0, 2, 0, 1, each in two bits from the lowest on.
  EXPECT_EQ(packed.positions.shape(), (Shape{2, 1}));
  EXPECT_EQ(packed.positions.data<uint8_t>()[0], 1 | 3 << 2 | 0 << 4 | 1 << 6);
  EXPECT_EQ(packed.positions.data<uint8_t>()[1], 0 | 2 << 2 | 0 << 4 | 1 << 6);
  EXPECT_EQ(packed.pattern.data<int64_t>()[0], 2);
  EXPECT_EQ(packed.pattern.data<int64_t>()[1], 6);
  EXPECT_EQ(packed.pattern.data<int64_t>()[2], 2);
  EXPECT_EQ(packed.pattern.data<int64_t>()[3], 4);
}

TEST(PackedGroupsTest, RefusesWeightsWithoutThePattern) {
  EXPECT_ERROR(PackGroups(F32({0, 0, 0, 0, 1, 2, 0, 3}, {1, 8}), {2, 4}, "tensor 'a'"), ErrorKind::kInvalidInput,
               "tensor 'a': row 0 has 3 non-zeros in columns 4 to 7, 2:4 allows 2");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(PackGroups(F32({nan, 1, 1, -0.0f}, {1, 4}), {2, 4}, "a"), ErrorKind::kInvalidInput,
               HasSubstr("3 non-zeros"));
  EXPECT_ERROR(PackGroups(F32({1}, {1, 1}), {0, 4}, "a"), ErrorKind::kInvalidInput, HasSubstr("pattern 0:4"));
  EXPECT_ERROR(PackGroups(F32({1}, {1, 1}), {2, 33}, "a"), ErrorKind::kInvalidInput, HasSubstr("M <= 32"));
  EXPECT_ERROR(PackGroups(F32({1}, {1}), {2, 4}, "a"), ErrorKind::kInvalidInput, HasSubstr("expected a matrix"));
  EXPECT_ERROR(PackGroups(Tensor(), {2, 4}, "a"), ErrorKind::kInvalidInput, HasSubstr("expected a matrix"));
}

TEST(PackedGroupsTest, RefusesPartsThatDoNotFit) {
  const Tensor weight = Weight(3, 6, {2, 4});
  const auto with = [&](auto change) {
    PackedGroups packed = PackGroups(weight, {2, 4}, "w");
    change(packed);
    UnpackGroups(packed, "w");
  };
  const auto pattern = [](std::vector<int64_t> numbers) {
    return [numbers](PackedGroups& p) { p.pattern = Tensor::FromVector<int64_t>(numbers, {4}); };
  };
  with([](auto&) {});
  EXPECT_ERROR(with(pattern({3, 10, 2, 4})), ErrorKind::kInvalidInput, HasSubstr("w: values are f32 [3, 4], expected"));
  EXPECT_ERROR(with(pattern({-3, 6, 2, 4})), ErrorKind::kInvalidInput, HasSubstr("shape [-3, 6]"));
  EXPECT_ERROR(with(pattern({3, int64_t{1} << 62, 2, 4})), ErrorKind::kInvalidInput, HasSubstr("expected sizes"));
  EXPECT_ERROR(with(pattern({3, 6, 5, 4})), ErrorKind::kInvalidInput, HasSubstr("pattern 5:4"));
  EXPECT_ERROR(with(pattern({3, 6, 2, 0})), ErrorKind::kInvalidInput, HasSubstr("pattern 2:0"));
  EXPECT_ERROR(with([](auto& p) { p.pattern = Tensor::Zeros({4}); }), ErrorKind::kInvalidInput, HasSubstr("i64 [4]"));
  EXPECT_ERROR(with([](auto& p) {
                 p.values = Tensor::Zeros({3, 4}, DType::kI32);
               }),
               ErrorKind::kInvalidInput, HasSubstr("values are i32"));
  EXPECT_ERROR(with([](auto& p) {
                 p.positions = Tensor::Zeros({3, 2}, DType::kU8);
               }),
               ErrorKind::kInvalidInput, HasSubstr("positions are u8 [3, 2], expected u8 [3, 1]"));
  EXPECT_ERROR(with([](auto& p) { p.positions.template mutable_data<uint8_t>()[1] = 0b01'00'01'01; }),
               ErrorKind::kInvalidInput, HasSubstr("row 1: value 1 has place 1 after 1"));
  EXPECT_ERROR(with([](auto& p) {
                 p.positions.template mutable_data<uint8_t>()[2] = 0b11'00'01'00;
                 p.values.template mutable_data<float>()[2 * 4 + 3] = 1;
               }),
               ErrorKind::kInvalidInput, HasSubstr("row 2: value 3 is not 0, but lies in column 7 of 6"));
  PackedGroups odd = PackGroups(F32({1, 0, 0}, {1, 3}), {1, 4}, "w");
  odd.positions.mutable_data<uint8_t>()[0] |= 4;
  EXPECT_ERROR(UnpackGroups(odd, "w"), ErrorKind::kInvalidInput, HasSubstr("bits are set after its last position"));
}

TEST(Bitmask24Test, AnyShapeComesBack) {
  for (const Shape& shape : {Shape{1, 4}, Shape{3, 12}, Shape{5, 8}, Shape{0, 4}, Shape{4, 0}, Shape{16, 36}}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      SCOPED_TRACE(ToString(shape));
      const Tensor weight = Weight(shape[0], shape[1], {2, 4}, dtype);
      ExpectBitEqual(UnpackBitmask24(PackBitmask24(weight, "w"), "w"), weight);
    }
  }
  EXPECT_ERROR(PackBitmask24(Tensor::Zeros({2, 6}), "w"), ErrorKind::kInvalidInput,
               "w: 6 columns, sparse24-bitmask takes multiples of 4");
  EXPECT_ERROR(PackBitmask24(Tensor::Full({2, 4}, 1.0), "w"), ErrorKind::kInvalidInput,
               HasSubstr("row 0 has 4 non-zeros"));
}

TEST(Bitmask24Test, ReadsWhatCompressedTensorsWrites) {
  const Fixture fixture("bitmask24");
  for (const std::string name : {"float32.1", "float32.3", "float32.16", "bfloat16.1", "bfloat16.3", "bfloat16.16"}) {
    SCOPED_TRACE(name);
    const Bitmask24 theirs{fixture.Get(name + ".compressed"), fixture.Get(name + ".bitmask"),
                           fixture.Get(name + ".shape")};
    const Tensor weight = fixture.Get(name + ".weight");
    ExpectBitEqual(UnpackBitmask24(theirs, name), weight);
    // Which zeros are stored is open, so only sizes are comparable the other way.
    const Bitmask24 ours = PackBitmask24(weight, name);
    EXPECT_EQ(ours.compressed.shape(), theirs.compressed.shape());
    EXPECT_EQ(ours.bitmask.shape(), theirs.bitmask.shape());
    ExpectBitEqual(ours.shape, theirs.shape);
  }
}

TEST(Bitmask24Test, RefusesPartsThatDoNotFit) {
  const Tensor weight = Weight(3, 12, {2, 4});
  const auto with = [&](auto change) {
    Bitmask24 packed = PackBitmask24(weight, "w");
    change(packed);
    UnpackBitmask24(packed, "w");
  };
  const auto shape = [](std::vector<int64_t> numbers) {
    return [numbers](Bitmask24& p) { p.shape = Tensor::FromVector<int64_t>(numbers, {2, 1}); };
  };
  EXPECT_ERROR(with(shape({3, 1 << 30})), ErrorKind::kInvalidInput, HasSubstr("compressed is f32 [3, 6], expected"));
  EXPECT_ERROR(with(shape({-3, 12})), ErrorKind::kInvalidInput, HasSubstr("compressed is"));
  EXPECT_ERROR(with(shape({3, 13})), ErrorKind::kInvalidInput, HasSubstr("columns in fours"));
  EXPECT_ERROR(with([](auto& p) { p.shape = Tensor::Zeros({3}, DType::kI64); }), ErrorKind::kInvalidInput,
               HasSubstr("shape is"));
  EXPECT_ERROR(with([](auto& p) {
                 p.bitmask = Tensor::Zeros({3, 1}, DType::kU8);
               }),
               ErrorKind::kInvalidInput, HasSubstr("bitmask is u8 [3, 1], expected u8 [3, 2]"));
  EXPECT_ERROR(with([](auto& p) { p.bitmask.template mutable_data<uint8_t>()[2] = 0xff; }), ErrorKind::kInvalidInput,
               HasSubstr("w: row 1 has "));
  EXPECT_ERROR(with([](auto& p) {
                 p.bitmask.template mutable_data<uint8_t>()[4] = 0b111;
                 p.bitmask.template mutable_data<uint8_t>()[5] = 0b01100001;
               }),
               ErrorKind::kInvalidInput, HasSubstr("row 2 has bits beyond its 12 columns"));
}

TEST(SemiStructuredTest, IsWhatPyTorchConverts) {
  const Fixture fixture("semi_structured");
  for (const std::string name : {"float16.32", "float16.64", "bfloat16.32", "bfloat16.64"}) {
    SCOPED_TRACE(name);
    const Tensor dense = fixture.Get(name + ".dense");
    const SemiStructured ours = PackSemiStructured(dense, name);
    ExpectBitEqual(ours.packed, fixture.Get(name + ".packed"));
    ExpectBitEqual(ours.meta, fixture.Get(name + ".meta"));
    ExpectBitEqual(UnpackSemiStructured(ours, name), dense);
  }
}

TEST(SemiStructuredTest, RefusesWhatItCannotHold) {
  EXPECT_ERROR(PackSemiStructured(Tensor::Zeros({32, 64}), "w"), ErrorKind::kInvalidInput,
               "w: f32, semi-structured takes f16 or bf16: in f32, the pattern of GPUs is 1:2 and not 2:4");
  EXPECT_ERROR(PackSemiStructured(Tensor::Zeros({32, 32}, DType::kF16), "w"), ErrorKind::kInvalidInput,
               "w: shape [32, 32], semi-structured takes multiples of [32, 64]");
  EXPECT_ERROR(PackSemiStructured(Tensor::Full({32, 64}, 1.0, DType::kBF16), "w"), ErrorKind::kInvalidInput,
               HasSubstr("row 0 has 4 non-zeros in columns 0 to 3"));
  const auto with = [](auto change) {
    SemiStructured packed = PackSemiStructured(Weight(32, 64, {2, 4}, DType::kF16), "w");
    change(packed);
    UnpackSemiStructured(packed, "w");
  };
  EXPECT_ERROR(with([](auto& p) {
                 p.meta = Tensor::Zeros({32, 2}, DType::kI16);
               }),
               ErrorKind::kInvalidInput, HasSubstr("meta is i16 [32, 2], expected i16 [32, 4]"));
  EXPECT_ERROR(with([](auto& p) {
                 p.packed = Tensor::Zeros({32, 32});
               }),
               ErrorKind::kInvalidInput, HasSubstr("w: f32"));
  EXPECT_ERROR(with([](auto& p) {
                 p.packed = Tensor::Zeros({0, 0}, DType::kF16);
               }),
               ErrorKind::kInvalidInput, HasSubstr("shape [0, 0]"));
  EXPECT_ERROR(with([](auto& p) { p.meta.template mutable_data<int16_t>()[0] = 0; }), ErrorKind::kInvalidInput,
               "w: row 0, columns 0 to 3: metadata 0x0 is no 2:4 pattern");
}

}  // namespace
}  // namespace twofour::sparse
