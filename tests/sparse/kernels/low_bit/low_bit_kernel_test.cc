#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/half.h"
#include "twofour/core/random.h"
#include "twofour/sparse/kernels/low_bit/low_bit_matrix.h"
#include "twofour/sparse/kernels/low_bit/low_bit_terms.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;
using test::ScopedNumThreads;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr LowBitKind kKinds[] = {LowBitKind::kInt8, LowBitKind::kE4M3, LowBitKind::kNvfp4};

/// What a byte of E4M3 stands for, by its definition.
double E4M3(uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (code & 128) != 0 ? -magnitude : magnitude;
}

double ValueOf(LowBitKind kind, uint8_t code) {
  constexpr double kE2M1[16] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6};
  if (kind == LowBitKind::kInt8) return static_cast<int8_t>(code);
  return kind == LowBitKind::kE4M3 ? E4M3(code) : kE2M1[code];
}

/// A weight with all codes and places that there are, and what it is made of.
struct LowBitCase {
  LowBitCase(LowBitKind kind_of_codes, bool sparse, int64_t row_count, int64_t col_count)
      : kind(kind_of_codes),
        two_of_four(sparse),
        rows(row_count),
        cols(col_count),
        matrix(kind, two_of_four, rows, cols) {
    RandomSequence random({7, static_cast<uint32_t>(rows * 1000 + cols)});
    for (int64_t r = 0; r < rows; ++r) {
      LowBitRow row;
      for (int64_t i = 0; i < matrix.values(); ++i) {
        const uint32_t code = random.Below(kind == LowBitKind::kNvfp4 ? 16 : 256);
        const bool none = kind == LowBitKind::kInt8 ? code == 128 : kind == LowBitKind::kE4M3 && (code & 127) == 127;
        row.codes.push_back(none ? uint8_t{1} : static_cast<uint8_t>(code));
        if (kind == LowBitKind::kNvfp4 && i % 16 == 0) {
          row.block_scales.push_back(static_cast<uint8_t>(1 + random.Below(126)));
        }
        if (!two_of_four || i % 2 != 0) continue;
        const uint32_t first = random.Below(3), second = first + 1 + random.Below(3 - first);
        row.places.push_back(static_cast<uint8_t>(first));
        row.places.push_back(static_cast<uint8_t>(second));
      }
      matrix.SetRow(r, row);
      stored.push_back(row);
    }
    for (int64_t i = 0; i < (kind == LowBitKind::kNvfp4 ? 1 : rows); ++i) {
      matrix.scales()[i] = static_cast<float>(0.001 + random.Below(1000) * 1e-5);
    }
  }

  /// The matrix [rows, padded columns].
  std::vector<double> Dense() const {
    const int64_t padded = matrix.view().padded_cols();
    std::vector<double> dense(static_cast<size_t>(rows * padded));
    for (int64_t r = 0; r < rows; ++r) {
      const LowBitRow& row = stored[static_cast<size_t>(r)];
      for (size_t i = 0; i < row.codes.size(); ++i) {
        const size_t col = two_of_four ? i / 2 * 4 + row.places[i] : i;
        const double block = row.block_scales.empty() ? 1 : E4M3(row.block_scales[i / 16]);
        dense[static_cast<size_t>(r * padded) + col] = ValueOf(kind, row.codes[i]) * block * matrix.view().ScaleOf(r);
      }
    }
    return dense;
  }

  LowBitKind kind;
  bool two_of_four;
  int64_t rows, cols;
  LowBitMatrix matrix;
  std::vector<LowBitRow> stored;
};

/// Calls visit(case, name) for all kinds, dense and 2:4, of sizes around those of spans, tiles and quads.
template <typename Visit>
void ForEachCase(const Visit& visit) {
  constexpr int64_t kSizes[][2] = {{1, 1}, {3, 4}, {4, 33}, {5, 64}, {7, 250}, {9, 512}, {2, 700}, {6, 1100}};
  for (const LowBitKind kind : kKinds) {
    for (const bool two_of_four : {false, true}) {
      for (const auto& [rows, cols] : kSizes) {
        const std::string name = std::to_string(static_cast<int>(kind)) + (two_of_four ? " 2:4 [" : " dense [") +
                                 std::to_string(rows) + ", " + std::to_string(cols) + "]";
        visit(LowBitCase(kind, two_of_four, rows, cols), name);
      }
    }
  }
}

/// Rows of x, [batch, padded columns]: the first one of numbers of bf16, the second one of f16, the others of f32.
std::vector<float> Activations(const LowBitCase& c, int64_t batch) {
  const int64_t padded = c.matrix.view().padded_cols();
  std::vector<float> x = test::RandomF32({batch, padded}, {11}).ToVector();
  for (int64_t i = 0; i < batch * padded; ++i) {
    float& number = x[static_cast<size_t>(i)];
    if (i / padded == 0) number = static_cast<float>(BFloat16(number));
    if (i / padded == 1) number = static_cast<float>(Float16(number));
    if (i % padded >= c.cols) number = 0;
  }
  return x;
}

TEST(LowBitMatrixTest, HoldsWhatItWasGiven) {
  ForEachCase([](const LowBitCase& c, const std::string& name) {
    for (int64_t r = 0; r < c.rows; ++r) {
      const LowBitRow row = c.matrix.GetRow(r);
      EXPECT_EQ(row.codes, c.stored[static_cast<size_t>(r)].codes) << name;
      EXPECT_EQ(row.places, c.stored[static_cast<size_t>(r)].places) << name;
      EXPECT_EQ(row.block_scales, c.stored[static_cast<size_t>(r)].block_scales) << name;
    }
  });
}

class LowBitKernelTest : public testing::TestWithParam<LowBitKernel> {
 protected:
  void SetUp() override {
    if (!IsAllowed(GetParam())) GTEST_SKIP() << "not on this processor";
  }
};

TEST_P(LowBitKernelTest, IsNearTheProductInDouble) {
  ForEachCase([](const LowBitCase& c, const std::string& name) {
    const int64_t padded = c.matrix.view().padded_cols();
    const std::vector<double> dense = c.Dense();
    for (const int64_t batch : {1, 2, 3, 5}) {
      const std::vector<float> x = Activations(c, batch);
      const Tensor bias = test::RandomF32({c.rows}, {3});
      for (const float* const b : {static_cast<const float*>(nullptr), bias.data<float>()}) {
        std::vector<float> y(static_cast<size_t>(batch * c.rows), -1);
        GetParam().multiply(c.matrix.view(), batch, x.data(), b, y.data());
        for (int64_t i = 0; i < batch * c.rows; ++i) {
          const int64_t row = i % c.rows;
          double sum = b == nullptr ? 0 : double{b[row]}, magnitudes = std::fabs(sum);
          for (int64_t col = 0; col < padded; ++col) {
            const double product =
                x[static_cast<size_t>(i / c.rows * padded + col)] * dense[static_cast<size_t>(row * padded + col)];
            sum += product, magnitudes += std::fabs(product);
          }
          // A lane adds up a sixteenth of the products, or an eighth, and lanes, scales and terms add some roundings.
          const double roundings = static_cast<double>(padded) / 8 + 40;
          EXPECT_NEAR(y[static_cast<size_t>(i)], sum, magnitudes * roundings * 0x1p-24) << name << ", " << i;
        }
      }
    }
  });
}

TEST_P(LowBitKernelTest, ARowHasTheSameBitsForAllThreadsAndBatches) {
  for (const LowBitKind kind : kKinds) {
    const LowBitCase c(kind, true, 150, 700);
    const int64_t batch = 13, padded = c.matrix.view().padded_cols();
    const std::vector<float> x = Activations(c, batch);
    std::vector<float> first(static_cast<size_t>(batch * c.rows));
    GetParam().multiply(c.matrix.view(), batch, x.data(), nullptr, first.data());
    for (const int threads : {1, 2, 5}) {
      const ScopedNumThreads scoped(threads);
      std::vector<float> y(first.size());
      GetParam().multiply(c.matrix.view(), batch, x.data(), nullptr, y.data());
      EXPECT_EQ(y, first) << threads;
    }
    for (int64_t b = 0; b < batch; ++b) {
      std::vector<float> y(static_cast<size_t>(c.rows));
      GetParam().multiply(c.matrix.view(), 1, x.data() + b * padded, nullptr, y.data());
      EXPECT_TRUE(std::equal(y.begin(), y.end(), first.begin() + b * c.rows)) << b;
    }
  }
}

TEST_P(LowBitKernelTest, InfinitiesAndNansStay) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const LowBitCase c(LowBitKind::kInt8, false, 4, 64);
  std::vector<float> x = Activations(c, 3), y(12);
  x[5] = kInfinity, x[64 + 5] = std::bit_cast<float>(0x7f800001U), x[128 + 5] = std::numeric_limits<float>::max();
  GetParam().multiply(c.matrix.view(), 3, x.data(), nullptr, y.data());
  for (size_t r = 0; r < 4; ++r) {
    const auto code = static_cast<int8_t>(c.stored[r].codes[5]);
    if (code != 0) {
      EXPECT_EQ(y[r], code > 0 ? kInfinity : -kInfinity);
    }
    EXPECT_TRUE(std::isnan(y[4 + r]));
    EXPECT_FALSE(std::isnan(y[8 + r]));
  }
}

INSTANTIATE_TEST_SUITE_P(Table, LowBitKernelTest, testing::ValuesIn(LowBitKernels().begin(), LowBitKernels().end()),
                         [](const auto& info) { return info.param.name; });

TEST(LowBitKernelsTest, TheEmulationGivesTheBitsOfTheInstructions) {
  const LowBitKernel &native = LowBitKernels().front(), &emulated = LowBitKernels().back();
  ASSERT_TRUE(emulated.emulated);
  if (native.isa != Isa::kAvx512Bf16 || !IsAllowed(native)) GTEST_SKIP() << "not on this processor";
  ForEachCase([&](const LowBitCase& c, const std::string& name) {
    const std::vector<float> x = Activations(c, 3);
    std::vector<float> y(static_cast<size_t>(3 * c.rows)), z(y.size());
    native.multiply(c.matrix.view(), 3, x.data(), nullptr, y.data());
    emulated.multiply(c.matrix.view(), 3, x.data(), nullptr, z.data());
    EXPECT_EQ(y, z) << name;
  });
}

TEST(LowBitKernelsTest, TheFastestAllowedIsChosen) {
  const LowBitKernel& chosen = ChooseLowBitKernel();
  EXPECT_FALSE(chosen.emulated);
  for (const LowBitKernel& kernel : LowBitKernels()) {
    if (kernel.name == chosen.name) break;
    EXPECT_FALSE(IsAllowed(kernel)) << kernel.name;
  }
}

TEST(LowBitKernelsTest, AnyThatIsAllowedCanBeForced) {
  for (const LowBitKernel& kernel : LowBitKernels()) {
    const ScopedEnv env("TWOFOUR_KERNEL", kernel.name);
    if (IsAllowed(kernel)) {
      EXPECT_EQ(ChooseLowBitKernel().name, kernel.name);
    } else {
      EXPECT_THAT([] { ChooseLowBitKernel(); }, ThrowsMessage<Error>(HasSubstr(kernel.name)));
    }
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "exact_scalar");
  EXPECT_FALSE(ChooseLowBitKernel().emulated) << "a name of another table";
}

TEST(LowBitTermsTest, TermsAddUpToTheFloats) {
  const LowBitCase c(LowBitKind::kInt8, false, 1, 200);
  std::vector<float> x = Activations(c, 3);
  const int64_t padded = c.matrix.view().padded_cols();
  const LowBitTerms terms(c.matrix.view(), 3, x.data());
  EXPECT_EQ(terms.begin(1), 1);
  EXPECT_EQ(terms.begin(2), 3);
  EXPECT_EQ(terms.count(), 6);
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t col = 0; col < padded; ++col) {
      double sum = 0;
      for (int64_t term = terms.begin(b); term < terms.begin(b + 1); ++term) {
        const int64_t span = col / 16, step = col % 16 / 2;
        const uint32_t pair = terms.pairs()[term * terms.stride() + (span / 16 * 8 + step) * 16 + span % 16];
        sum += static_cast<float>(BFloat16::FromBits(static_cast<uint16_t>(pair >> col % 2 * 16)));
      }
      EXPECT_EQ(sum, x[static_cast<size_t>(b * padded + col)]) << b << ", " << col;
    }
  }
}

}  // namespace

/// For GoogleTest.
inline void PrintTo(const LowBitKernel& kernel, std::ostream* out) { *out << kernel.name; }

}  // namespace twofour::sparse
