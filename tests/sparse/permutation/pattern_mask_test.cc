#include "twofour/sparse/permutation/pattern_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "twofour/sparse/mask_plan.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::HasSubstr;

constexpr int kPlain = kPlainColumns;

/// Training asks a MaskPlan.
TEST(PatternMaskTest, IsTheMaskOfTraining) {
  const Tensor scores = RandomF32({24, 32}, {1, 0, 0});
  const auto trained = [&](const MaskPlanOptions& options) { return MaskPlan(options).Find(scores, 0, {}, "weight"); };
  EXPECT_EQ(FindPatternMask(scores, {.m = kPlain}), trained({}));
  EXPECT_EQ(FindPatternMask(scores, {.m = kPlain, .inner = VnmInner::kRows}), trained({.method = MaskMethod::kRows}));
  const VnmPattern vnm{.v = 8, .m = 6};
  EXPECT_EQ(FindPatternMask(scores, vnm), trained({.method = MaskMethod::kVnm, .vnm = vnm}));
}

TEST(PatternMaskTest, NamesAndChecksPatterns) {
  EXPECT_EQ(PatternName({.m = kPlain}), "2:4");
  EXPECT_EQ(PatternName({.m = kPlain, .inner = VnmInner::kRows}), "2:4 along rows");
  EXPECT_EQ(PatternName({.v = 16, .m = 8}), "16:2:8");
  EXPECT_ERROR(FindPatternMask(Tensor::Zeros({6, 8}), {.m = kPlain}), ErrorKind::kInvalidInput,
               HasSubstr("weight: shape [6, 8], a 2:4 mask needs multiples of 4"));
  EXPECT_ERROR(FindPatternMask(Tensor::Zeros({8, 8}), {.m = 3}), ErrorKind::kInvalidInput, HasSubstr("m"));
  EXPECT_ERROR(FindPatternMask(Tensor::Zeros({8, 8}), {.n = 1, .m = kPlain}), ErrorKind::kInvalidInput, HasSubstr("n"));
}

}  // namespace
}  // namespace twofour::sparse
