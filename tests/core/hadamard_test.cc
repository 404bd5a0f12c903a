#include "twofour/core/hadamard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// H[i][j] = -1 to the number of bits that i and j share.
double EntryOfH(int64_t i, int64_t j) { return std::popcount(static_cast<uint64_t>(i & j)) % 2 == 0 ? 1 : -1; }

/// Multiplies each block by the matrix, in double.
Tensor ByTheDefinition(const Tensor& x, uint16_t signs, bool inverse) {
  const auto sign = [=](int64_t col) { return (signs >> col & 1) != 0 ? -1.0 : 1.0; };
  Tensor y = Tensor::Zeros(x.shape());
  for (int64_t begin = 0; begin < x.numel(); begin += 16) {
    for (int64_t i = 0; i < 16; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < 16; ++j) {
        sum += (inverse ? sign(i) : sign(j)) * EntryOfH(i, j) * static_cast<double>(x.data<float>()[begin + j]) / 4;
      }
      y.mutable_data<float>()[begin + i] = static_cast<float>(sum);
    }
  }
  return y;
}

TEST(HadamardLoopsTest, MultipliesBlocksByTheMatrix) {
  const Tensor x = RandomF32({5, 48}, {1});
  for (const int bits : {0, 0xffff, 0x8001, 0x3a5c}) {
    const auto signs = static_cast<uint16_t>(bits);
    Tensor first, first_inverse;
    test::ForEachIsa([&](Isa) {
      const Tensor y = HadamardTransform(x, signs), z = InverseHadamardTransform(x, signs);
      ExpectClose(y, ByTheDefinition(x, signs, false), 0, 1e-6);
      ExpectClose(z, ByTheDefinition(x, signs, true), 0, 1e-6);
      if (!first.defined()) first = y, first_inverse = z;
      ExpectBitEqual(y, first);
      ExpectBitEqual(z, first_inverse);
    });
  }
}

TEST(HadamardTest, TheInverseGivesBackWhatWasThere) {
  const uint16_t signs = RandomHadamardSigns({7, 1});
  const Tensor x = RandomF32({30, 64}, {2});
  ExpectClose(InverseHadamardTransform(HadamardTransform(x, signs), signs), x, 0, 1e-6);
  // Whole numbers of few bits come back exactly.
  const Tensor whole = F32({3, -1, 0, 7, 5, 5, 5, -8, 2, 0, 0, 0, 1, -2, 6, 4}, {1, 16});
  ExpectClose(InverseHadamardTransform(HadamardTransform(whole, signs), signs), whole, 0, 0);
}

TEST(HadamardTest, ProductsOfRowsStay) {
  const uint16_t signs = RandomHadamardSigns({7, 2});
  const Tensor x = RandomF32({1, 320}, {3}), y = RandomF32({1, 320}, {4});
  const auto product = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (int64_t i = 0; i < a.numel(); ++i) sum += static_cast<double>(a.data<float>()[i]) * b.data<float>()[i];
    return sum;
  };
  EXPECT_NEAR(product(HadamardTransform(x, signs), HadamardTransform(y, signs)), product(x, y), 1e-4);
  EXPECT_GT(std::abs(product(HadamardTransform(x, signs), y) - product(x, y)), 1e-2);
}

TEST(HadamardTest, OneLargeElementIsSpread) {
  Tensor x = Tensor::Zeros({1, 16});
  x.mutable_data<float>()[5] = -8;
  const Tensor y = HadamardTransform(x, 0x1234);
  for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(std::abs(y.data<float>()[i]), 2);
}

TEST(HadamardTest, SignsDependOnTheKey) {
  EXPECT_EQ(RandomHadamardSigns({1, 2, 3}), RandomHadamardSigns({1, 2, 3}));
  int set = 0;
  for (uint32_t stream = 0; stream < 1000; ++stream) set += std::popcount(RandomHadamardSigns({1, stream}));
  EXPECT_NEAR(set, 8000, 5 * std::sqrt(4000.0));
}

TEST(HadamardTest, ThreadsDoNotMatterAndWrongInputIsRefused) {
  const Tensor x = RandomF32({300, 160}, {5});
  const Tensor y = HadamardTransform(x, 77);
  for (const int threads : {2, 5}) {
    const test::ScopedNumThreads scope(threads);
    ExpectBitEqual(HadamardTransform(x, 77), y);
  }
  EXPECT_EQ(HadamardTransform(Tensor::Zeros({3, 0}), 1).shape(), (Shape{3, 0}));
  EXPECT_THAT(
      [] {
        HadamardTransform(Tensor::Zeros({2, 24}), 1);
      },
      ThrowsMessage<Error>(HasSubstr("HadamardTransform: x is f32 [2, 24], expected f32 [rows, columns] with "
                                     "columns a multiple of 16")));
  EXPECT_THAT([] { InverseHadamardTransform(Tensor(), 1); },
              ThrowsMessage<Error>(HasSubstr("InverseHadamardTransform: x is undefined")));
}

}  // namespace
}  // namespace twofour
