#include "twofour/sparse/kernels/search/mask_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"

#include "tests/support/case_tables.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {

void PrintTo(const MaskSearchKernel& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

using test::RandomF32;
using test::ScopedEnv;

/// The masks of one row of tiles, weight [4, cols], by the reference functions.
std::vector<TileMask> Expected(const Tensor& weight, MaskMethod method) {
  const int64_t cols = weight.dim(1);
  std::vector<TileMask> masks;
  for (int64_t col = 0; col < cols; col += 4) {
    TileMagnitudes tile;
    for (int64_t entry = 0; entry < 16; ++entry) {
      tile[entry] = std::fabs(weight.data<float>()[entry / 4 * cols + col + entry % 4]);
    }
    masks.push_back(method == MaskMethod::kExact ? ExactTileMask(tile) : GreedyTileMask(tile));
  }
  return masks;
}

/// Every kernel of the table.
class MaskSearchKernelTest : public ::testing::TestWithParam<MaskSearchKernel> {
 protected:
  void SetUp() override {
    if (const std::string why_not = WhyNotHere(GetParam().isa); !why_not.empty()) GTEST_SKIP() << why_not;
  }

  void ExpectAgrees(const Tensor& weight) {
    const int64_t cols = weight.dim(1);
    std::vector<TileMask> masks(static_cast<size_t>(cols / 4) + 1, 0xABCD);
    EXPECT_TRUE(GetParam().search(weight.data<float>(), cols, masks.data()));
    EXPECT_EQ(masks.back(), 0xABCD) << "written beyond the row";
    masks.pop_back();
    EXPECT_EQ(masks, Expected(weight, GetParam().method)) << cols << " columns";
  }
};

TEST_P(MaskSearchKernelTest, AgreesOnRandomTiles) {
  for (int64_t cols : {4, 8, 12, 20, 60, 64, 68, 4000}) {
    ExpectAgrees(RandomF32({4, cols}, {.seed = 1, .stream = static_cast<uint32_t>(cols)}));
  }
}

TEST_P(MaskSearchKernelTest, AgreesOnTies) {
  for (uint32_t bound : {1u, 2u, 3u, 5u}) {
    Tensor weight = Tensor::Empty({4, 8000});
    RandomSequence random({.seed = 2, .stream = bound});
    float* w = weight.mutable_data<float>();
    for (int64_t i = 0; i < weight.numel(); ++i) {
      w[i] = std::copysign(static_cast<float>(random.Below(bound)), random.Uniform(-1, 1));  // -0 among them.
    }
    ExpectAgrees(weight);
  }
}

TEST_P(MaskSearchKernelTest, AgreesWhereSumsRound) {
  // Magnitudes from 2^-40 to 2^40. Most sums lose bits, so the order of additions matters.
  Tensor weight = Tensor::Empty({4, 8000});
  RandomSequence random({.seed = 3});
  float* w = weight.mutable_data<float>();
  for (int64_t i = 0; i < weight.numel(); ++i) {
    w[i] = std::ldexp(random.Uniform(-1, 1), static_cast<int>(random.Below(81)) - 40);
  }
  ExpectAgrees(weight);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    w[i] = (random.Below(2) == 0 ? 1.0f : 0x1p24f) + static_cast<float>(random.Below(3));
  }
  ExpectAgrees(weight);
}

TEST_P(MaskSearchKernelTest, AgreesOnExtremes) {
  Tensor weight = Tensor::Empty({4, 4000});
  RandomSequence random({.seed = 4});
  float* w = weight.mutable_data<float>();
  const float values[] = {0.0f, -0.0f, 1e-45f, -1e-45f, 3e-39f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f};
  for (int64_t i = 0; i < weight.numel(); ++i) w[i] = values[random.Below(8)];
  ExpectAgrees(weight);
}

TEST_P(MaskSearchKernelTest, AgreesForEveryNumberOfTiles) {
  for (int64_t cols = 0; cols <= 4 * 70; cols += 4) {
    ExpectAgrees(RandomF32({4, cols}, {.seed = 5, .stream = static_cast<uint32_t>(cols)}));
  }
}

TEST_P(MaskSearchKernelTest, ReadsFromAnyAddressAndNothingElse) {
  for (int64_t cols : {4, 12, 28, 36, 60, 68, 132}) {
    const Tensor weight = RandomF32({4, cols}, {.seed = 6});
    for (int64_t offset = 0; offset < 4; ++offset) {
      // Of exactly the needed size, so that AddressSanitizer sees a read beyond it.
      std::vector<float> moved(static_cast<size_t>(offset + 4 * cols));
      std::copy_n(weight.data<float>(), 4 * cols, moved.begin() + offset);
      std::vector<TileMask> masks(static_cast<size_t>(cols / 4 + offset));
      GetParam().search(moved.data() + offset, cols, masks.data() + offset);
      masks.erase(masks.begin(), masks.begin() + offset);
      EXPECT_EQ(masks, Expected(weight, GetParam().method)) << cols << " columns, offset " << offset;
    }
  }
}

TEST_P(MaskSearchKernelTest, EveryMaskInEveryPlaceOfARow) {
  // Each of the 90 masks is the only best one in some tiles. A row has 97 tiles, so each mask gets into each lane.
  constexpr int64_t kTiles = 97;
  const auto masks = TransposableMasks();
  for (size_t first = 0; first < masks.size(); ++first) {
    Tensor weight = Tensor::Empty({4, 4 * kTiles});
    std::vector<TileMask> expected;
    for (int64_t tile = 0; tile < kTiles; ++tile) {
      expected.push_back(masks[(first + static_cast<size_t>(tile)) % masks.size()]);
      for (int row = 0; row < 4; ++row) {
        for (int col = 0; col < 4; ++col) {
          const float magnitude = Keeps(expected.back(), row, col) ? 0.5f + static_cast<float>(4 * row + col) : 0.25f;
          weight.mutable_data<float>()[row * 4 * kTiles + 4 * tile + col] =
              (row + col) % 2 == 0 ? magnitude : -magnitude;
        }
      }
    }
    std::vector<TileMask> found(kTiles);
    GetParam().search(weight.data<float>(), 4 * kTiles, found.data());
    ASSERT_EQ(found, expected) << "from mask " << first;
  }
}

TEST_P(MaskSearchKernelTest, AgreesOnTiesOfTwoMasks) {
  // Every pair of masks once. Both keep the same sum, except that rounding may change one half or the whole.
  const auto masks = TransposableMasks();
  for (const float extra : {0.0f, 0x1p-23f, 0x1p-22f, 0x1p-21f}) {
    const auto tiles = static_cast<int64_t>(masks.size() * masks.size());
    Tensor weight = Tensor::Zeros({4, 4 * tiles});
    RandomSequence random({.seed = 7});
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const auto one = static_cast<size_t>(tile) / masks.size(), other = static_cast<size_t>(tile) % masks.size();
      for (int row = 0; row < 4; ++row) {
        for (int col = 0; col < 4; ++col) {
          float magnitude = Keeps(masks[one], row, col) || Keeps(masks[other], row, col) ? 1.0f : 0.0f;
          if (random.Below(4) == 0) magnitude += extra;
          if (row >= 2 && tile % 3 == 0) magnitude *= 0x1p20f;
          if (row < 2 && tile % 3 == 1) magnitude *= 0x1p20f;
          weight.mutable_data<float>()[row * 4 * tiles + 4 * tile + col] = magnitude;
        }
      }
    }
    ExpectAgrees(weight);
  }
}

TEST_P(MaskSearchKernelTest, AgreesOnDenormals) {
  Tensor weight = Tensor::Empty({4, 8000});
  RandomSequence random({.seed = 8});
  float* w = weight.mutable_data<float>();
  for (uint32_t bound : {2u, 5u, 1u << 23, 1u << 24}) {  // Up to twice the smallest normal number.
    for (int64_t i = 0; i < weight.numel(); ++i) {
      w[i] = std::copysign(static_cast<float>(random.Below(bound)) * 0x1p-149f, random.Uniform(-1, 1));
    }
    ExpectAgrees(weight);
  }
}

TEST_P(MaskSearchKernelTest, AgreesWhereSumsOverflow) {
  // Some sums of two, of four or of all magnitudes would be infinite, and so would tie.
  Tensor weight = Tensor::Empty({4, 8000});
  RandomSequence random({.seed = 9});
  float* w = weight.mutable_data<float>();
  for (float scale : {1.0f, 0.5f, 0.25f, 0.125f}) {
    for (int64_t i = 0; i < weight.numel(); ++i) {
      const float part = random.Below(2) == 0 ? random.Uniform() : static_cast<float>(random.Below(5)) / 4;
      w[i] = std::copysign(scale * part * std::numeric_limits<float>::max(), random.Uniform(-1, 1));
    }
    ExpectAgrees(weight);
  }
}

TEST_P(MaskSearchKernelTest, AgreesOnFloatsOfAnySize) {
  // The largest floats beside the smallest. A kernel that scales down the large ones to make sums fit must not lose the
  // differences of the small ones.
  Tensor weight = Tensor::Empty({4, 8000});
  RandomSequence random({.seed = 10});
  float* w = weight.mutable_data<float>();
  for (uint32_t spread : {2u, 10u, 277u}) {
    for (int64_t i = 0; i < weight.numel(); ++i) {
      const int exponent =
          i / 8000 < 2 ? 127 - static_cast<int>(random.Below(spread)) : -149 + static_cast<int>(random.Below(spread));
      w[i] = std::copysign(std::ldexp(1 + random.Uniform(), exponent), random.Uniform(-1, 1));
    }
    ExpectAgrees(weight);
  }
}

TEST_P(MaskSearchKernelTest, SaysWhetherAllIsFinite) {
  for (int64_t cols : {4, 64, 68, 132}) {
    Tensor weight = RandomF32({4, cols}, {.seed = 11});
    float* w = weight.mutable_data<float>();
    std::vector<TileMask> masks(static_cast<size_t>(cols / 4));
    w[cols] = std::numeric_limits<float>::max();
    EXPECT_TRUE(GetParam().search(w, cols, masks.data()));
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity()}) {
      for (int64_t at = 0; at < weight.numel(); at += 3) {
        const float whole = std::exchange(w[at], broken);
        EXPECT_FALSE(GetParam().search(w, cols, masks.data())) << broken << " at " << at << " of " << cols;
        w[at] = whole;
      }
    }
  }
}

TEST_P(MaskSearchKernelTest, CanBeForced) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::string(GetParam().name));
  EXPECT_EQ(ChooseMaskSearchKernel(GetParam().method).name, GetParam().name);
  // This does not affect the kernels of the other method.
  for (MaskMethod other : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    EXPECT_EQ(ChooseMaskSearchKernel(other).method, other);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, MaskSearchKernelTest,
                         ::testing::ValuesIn(MaskSearchKernels().begin(), MaskSearchKernels().end()), test::ByName());

TEST(MaskSearchKernelsTest, NamesDifferAndBothAlgorithmsHaveAReference) {
  std::vector<std::string_view> names;
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) names.push_back(kernel.name);
  for (std::string_view reference : {"exact_scalar", "greedy_scalar"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), reference), names.end()) << reference;
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(ChooseMaskSearchKernelTest, SaysThatAMethodHasNone) {
  for (MaskMethod method : {MaskMethod::kSignedGreedy, MaskMethod::kRandom, MaskMethod::kRows}) {
    EXPECT_THAT([method] { ChooseMaskSearchKernel(method); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr(std::string(NameOf(method)))));
  }
}

TEST(ChooseMaskSearchKernelTest, TakesTheFirstOfItsAlgorithmThatRunsHere) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (MaskMethod method : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    for (const MaskSearchKernel& kernel : MaskSearchKernels()) {
      if (kernel.method != method || !WhyNotHere(kernel.isa).empty()) continue;
      EXPECT_EQ(&ChooseMaskSearchKernel(method), &kernel);
      break;
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
