#include "twofour/core/kernels/elements/convert_loops.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/elements/convert.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/awkward_halves.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

// Compares every instruction set with the conversions of BFloat16, which half_test.cc compares with the definition.
namespace twofour::kernels {
namespace {

constexpr uint32_t kPatterns = 1 << 16;

TEST(ConvertLoopsTest, EveryNumberOfSixteenBitsBecomesTheSameFloat) {
  std::vector<BFloat16> x;
  for (uint32_t bits = 0; bits < kPatterns; ++bits) x.push_back(BFloat16::FromBits(static_cast<uint16_t>(bits)));
  test::ForEachIsa([&](Isa) {
    std::vector<float> wide(kPatterns);
    loops::Convert(kPatterns, x.data(), wide.data());
    for (uint32_t bits = 0; bits < kPatterns; ++bits) {
      ASSERT_EQ(std::bit_cast<uint32_t>(wide[bits]), std::bit_cast<uint32_t>(static_cast<float>(x[bits]))) << bits;
    }
  });
}

TEST(ConvertLoopsTest, RowsAreConvertedAndWhatLiesBetweenThemStays) {
  test::ForEachIsa([](Isa) {
    for (const int64_t cols : {1, 15, 16, 31, 32, 33, 70}) {
      constexpr int64_t kRows = 3;
      const int64_t x_stride = cols + 2, out_stride = cols + 5;
      const auto x = test::AwkwardFloats(kRows * x_stride, {.seed = 5, .stream = static_cast<uint32_t>(cols)}, false);
      std::vector<BFloat16> out(static_cast<size_t>(kRows * out_stride), BFloat16(77));
      loops::ConvertRows(kRows, cols, x.data(), x_stride, out.data(), out_stride);
      for (int64_t row = 0; row < kRows; ++row) {
        for (int64_t col = 0; col < out_stride; ++col) {
          const BFloat16 expected(col < cols ? x[static_cast<size_t>(row * x_stride + col)] : 77.0f);
          ASSERT_EQ(out[static_cast<size_t>(row * out_stride + col)].bits(), expected.bits()) << row << ", " << col;
        }
      }
    }
  });
}

TEST(ConvertLoopsTest, FloatsOnEachSideOfEveryTieAreRounded) {
  // All upper halves, with lower halves around zero and around the tie.
  std::vector<float> x;
  for (uint32_t upper = 0; upper < kPatterns; ++upper) {
    for (const uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      x.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  const auto n = static_cast<int64_t>(x.size());
  test::ForEachIsa([&](Isa) {
    std::vector<BFloat16> narrow(x.size());
    loops::Convert(n, x.data(), narrow.data());
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(narrow[i].bits(), BFloat16(x[i]).bits()) << std::hex << std::bit_cast<uint32_t>(x[i]);
    }
  });
}

TEST(ConvertLoopsTest, EveryLengthAndAlignment) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 0; n <= 150; ++n) {
      const int64_t shift = n % 3;
      const auto x = test::AwkwardFloats(n + shift, {.seed = 1, .stream = static_cast<uint32_t>(n)}, true);
      const BFloat16 guard(7);
      std::vector<BFloat16> narrow(static_cast<size_t>(n + shift + 1), guard);
      loops::Convert(n, x.data() + shift, narrow.data() + shift);
      std::vector<float> wide(static_cast<size_t>(n + 2), 7);
      loops::Convert(n, narrow.data() + shift, wide.data() + 1);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_EQ(narrow[shift + i].bits(), BFloat16(x[shift + i]).bits()) << i << " of " << n;
        ASSERT_PRED2(test::SameFloat, wide[1 + i], static_cast<float>(narrow[shift + i])) << i << " of " << n;
      }
      ASSERT_EQ(narrow.back().bits(), guard.bits()) << n;
      ASSERT_EQ(wide.back(), 7) << n;
    }
  });
}

TEST(ConvertLoopsTest, ThreadsDoNotMatter) {
  constexpr int64_t kSize = 100'003;
  const auto x = test::AwkwardFloats(kSize, {.seed = 2}, true);
  for (const int threads : {1, 2, 3}) {
    const test::ScopedNumThreads scope(threads);
    std::vector<BFloat16> narrow(kSize);
    std::vector<float> wide(kSize);
    Convert(kSize, DType::kF32, reinterpret_cast<const std::byte*>(x.data()), DType::kBF16,
            reinterpret_cast<std::byte*>(narrow.data()));
    Convert(kSize, DType::kBF16, reinterpret_cast<const std::byte*>(narrow.data()), DType::kF32,
            reinterpret_cast<std::byte*>(wide.data()));
    for (int64_t i = 0; i < kSize; ++i) {
      ASSERT_EQ(narrow[i].bits(), BFloat16(x[i]).bits()) << i;
      ASSERT_PRED2(test::SameFloat, wide[i], static_cast<float>(narrow[i])) << i;
    }
  }
}

}  // namespace
}  // namespace twofour::kernels
