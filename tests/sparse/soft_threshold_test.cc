#include "twofour/sparse/soft_threshold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;

Tensor Pruned(const Tensor& weight, const RowPattern& pattern) {
  return SoftThreshold(weight, pattern, FindRowMask(weight, pattern));
}

/// Sorts each group. Every entry above the (keep + 1)-th largest magnitude moves towards zero by that magnitude; the
/// others become 0.
Tensor BySorting(const Tensor& weight, const RowPattern& pattern) {
  std::vector<float> result = weight.ToVector();
  for (size_t group = 0; group < result.size(); group += pattern.of) {
    std::vector<float> falling;
    for (int i = 0; i < pattern.of; ++i) falling.push_back(std::fabs(result[group + i]));
    std::sort(falling.rbegin(), falling.rend());
    const float threshold = pattern.keep < pattern.of ? falling[pattern.keep] : 0.0f;
    for (int i = 0; i < pattern.of; ++i) {
      float& value = result[group + i];
      value = value > threshold ? value - threshold : value < -threshold ? value + threshold : 0.0f;
    }
  }
  return F32(result, weight.shape());
}

double SquaredDistance(const Tensor& weight, const Tensor& pruned, double scale) {
  double sum = 0;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    const double difference = double{weight.data<float>()[i]} - scale * double{pruned.data<float>()[i]};
    sum += difference * difference;
  }
  return sum;
}

TEST(SoftThresholdTest, HandValues) {
  const Tensor weight = F32({3, -1, 2, -4,    // The third largest is 2.
                             -5, 5, 5, 0,     // Two of equal magnitude are kept; both become zero.
                             0, 0, 0, -7,     // Only one non-zero.
                             -0.5, 1, 8, 1},  // A tie at the threshold.
                            {4, 4});
  ExpectBitEqual(Pruned(weight, {2, 4}), F32({1, 0, 0, -2,     //
                                              -0.0f, 0, 0, 0,  // Zeros of both signs.
                                              0, 0, 0, -7,     //
                                              0, 0, 7, 0},
                                             {4, 4}));
  ExpectBitEqual(Pruned(weight, {1, 4}), F32({0, 0, 0, -1,     //
                                              -0.0f, 0, 0, 0,  //
                                              0, 0, 0, -7,     //
                                              0, 0, 7, 0},
                                             {4, 4}));
}

TEST(SoftThresholdTest, IsTheDefinitionForEveryPattern) {
  for (const RowPattern& pattern :
       {RowPattern{2, 4}, RowPattern{1, 4}, RowPattern{4, 8}, RowPattern{3, 6}, RowPattern{1, 16}, RowPattern{4, 4}}) {
    for (const Shape& shape : {Shape{12, 48}, Shape{5, 3 * pattern.of}, Shape{1, pattern.of}}) {
      const Tensor weight = RandomF32(shape, {.seed = 1});
      const Tensor pruned = Pruned(weight, pattern), expected = BySorting(weight, pattern);
      for (int64_t i = 0; i < weight.numel(); ++i) {
        EXPECT_EQ(pruned.data<float>()[i], expected.data<float>()[i])
            << pattern.keep << ":" << pattern.of << " at " << i;
      }
    }
  }
}

TEST(SoftThresholdTest, KeepingAllChangesNothing) {
  const Tensor weight = RandomF32({8, 16}, {.seed = 2});
  ExpectBitEqual(Pruned(weight, {4, 4}), weight);
}

TEST(SoftThresholdTest, AWeightOnItsWayThroughTheThresholdMakesNoJump) {
  // An entry moves by at most two steps: its own one and that of the threshold.
  constexpr float kStep = 1.0f / 1024;
  for (const RowPattern& pattern : {RowPattern{2, 4}, RowPattern{1, 4}, RowPattern{4, 8}}) {
    Tensor weight = RandomF32({4, 8}, {.seed = 3});
    float largest_move = 0, largest_jump_of_mask = 0;
    Tensor before = Pruned(weight, pattern), masked_before = ApplyMask(weight, FindRowMask(weight, pattern));
    for (weight.mutable_data<float>()[1] = -1.5f; weight.data<float>()[1] < 1.5f;) {
      weight.mutable_data<float>()[1] += kStep;
      const Tensor after = Pruned(weight, pattern), masked = ApplyMask(weight, FindRowMask(weight, pattern));
      const bool first = weight.data<float>()[1] == -1.5f + kStep;
      for (int64_t i = 0; i < weight.numel() && !first; ++i) {
        largest_move = std::max(largest_move, std::fabs(after.data<float>()[i] - before.data<float>()[i]));
        largest_jump_of_mask =
            std::max(largest_jump_of_mask, std::fabs(masked.data<float>()[i] - masked_before.data<float>()[i]));
      }
      before = after;
      masked_before = masked;
    }
    EXPECT_GT(largest_move, 0.5f * kStep);
    EXPECT_LE(largest_move, 2.001f * kStep) << pattern.keep << ":" << pattern.of;
    EXPECT_GT(largest_jump_of_mask, 100 * kStep);  // A mask alone makes such jumps.
  }
}

TEST(SoftThresholdTest, ThreadsDoNotMatter) {
  const Tensor weight = RandomF32({1024, 64}, {.seed = 4});
  const ScopedNumThreads one(1);
  const Tensor expected = Pruned(weight, {2, 4});
  for (const int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    ExpectBitEqual(Pruned(weight, {2, 4}), expected);
  }
}

TEST(SoftThresholdTest, RefusesShapesThatDoNotFit) {
  const Mask mask(8, 12);
  EXPECT_ERROR(SoftThreshold(Tensor::Zeros({8, 16}), {2, 4}, mask), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("SoftThreshold"), HasSubstr("[8, 16]"), HasSubstr("[8, 12]"), HasSubstr("expected")));
  EXPECT_ERROR(SoftThreshold(Tensor::Zeros({8, 12}), {5, 4}, mask), ErrorKind::kInvalidInput, HasSubstr("5:4"));
  EXPECT_THROW(SoftThreshold(Tensor::Zeros({8, 12}, DType::kF64), {2, 4}, mask), Error);
}

TEST(SoftThresholdTest, TheLastGroupMayBeShorter) {
  const Tensor weight = F32({1, -3, 2, 0, 5, -4}, {1, 6});
  ExpectBitEqual(SoftThreshold(weight, {1, 4}, FindRowMask(weight, {1, 4})), F32({0, -1, 0, 0, 1, 0}, {1, 6}));
}

TEST(ScaleToFitTest, NoOtherFactorIsNearer) {
  for (const uint64_t seed : {5, 6, 7}) {
    const Tensor weight = RandomF32({16, 32}, {.seed = seed}), pruned = Pruned(weight, {2, 4});
    const double scale = ScaleToFit(weight, pruned), least = SquaredDistance(weight, pruned, scale);
    EXPECT_GT(scale, 1);  // Because kept entries were made smaller.
    for (const double off : {1e-4, 1e-2, 0.3}) {
      EXPECT_GT(SquaredDistance(weight, pruned, scale + off), least);
      EXPECT_GT(SquaredDistance(weight, pruned, scale - off), least);
      // A parabola has the same height on both sides of its lowest point.
      EXPECT_NEAR(SquaredDistance(weight, pruned, scale + off), SquaredDistance(weight, pruned, scale - off), 1e-9);
    }
  }
}

TEST(ScaleToFitTest, HandValues) {
  EXPECT_DOUBLE_EQ(ScaleToFit(F32({3, -1, 2, -4}, {1, 4}), F32({1, 0, 0, -2}, {1, 4})), (3 + 8) / 5.0);
  EXPECT_EQ(ScaleToFit(F32({5, 5, 5, 5}, {1, 4}), Tensor::Zeros({1, 4})), 1.0);
  EXPECT_EQ(ScaleToFit(Tensor::Zeros({0, 4}), Tensor::Zeros({0, 4})), 1.0);
  EXPECT_ERROR(ScaleToFit(Tensor::Zeros({4, 4}), Tensor::Zeros({4, 8})), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("[4, 4]"), HasSubstr("[4, 8]"), HasSubstr("expected")));
}

}  // namespace
}  // namespace twofour::sparse
