#include "twofour/sparse/low_rank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/sparse/ops.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kOut = 8, kIn = 12, kRank = 3;

Mask SomeMask() { return FindMask(RandomF32({kOut, kIn}, {.seed = 7}), MaskMethod::kExact); }

TEST(LowRankTest, KnownSum) {
  const LowRank factors{F32({1, 2, 3}, {1, 3}), F32({1, -1}, {2, 1}), 0.5};
  const Tensor weight = F32({1, 1, 1, 2, 2, 2}, {2, 3});
  ExpectBitEqual(AddLowRank(weight, factors), F32({1.5, 2, 2.5, 1.5, 1, 0.5}, {2, 3}));
  const Mask mask = Mask::FromTensor(F32({1, 0, 1, 0, 0, 1}, {2, 3}).To(DType::kBool));
  ExpectBitEqual(AddLowRank(weight, factors, &mask), F32({1.5, 0, 2.5, 0, 0, 0.5}, {2, 3}));
}

TEST(LowRankTest, GradientsGoThroughTheMask) {
  const Mask mask = SomeMask();
  const Tensor weight = RandomF64({kOut, kIn}, {1}), a = RandomF64({kRank, kIn}, {2}),
               b = RandomF64({kOut, kRank}, {3});
  const Tensor x = RandomF64({5, kIn}, {4});
  for (const Mask* const masked : {static_cast<const Mask*>(nullptr), &mask}) {
    const auto linear = [masked](const std::vector<Tensor>& in) {
      return Linear(in[3], AddLowRank(in[0], {in[1], in[2], 0.7}, masked));
    };
    EXPECT_TRUE(CheckGradients(linear, {weight, Leaf(a), Leaf(b), Leaf(x)}));
    EXPECT_TRUE(CheckGradients(linear, {weight, Leaf(a), b, x}));
    EXPECT_TRUE(CheckGradients(linear, {weight, a, Leaf(b), x}));
  }
}

// Products of the packed weight and their gradients equal those of the masked sum, whose gradients are checked above.
TEST(LowRankTest, AHandleTakesTheGradientsOfMaskedProducts) {
  const Mask mask = SomeMask();
  const Tensor weight = RandomF32({kOut, kIn}, {1}), x = RandomF32({5, kIn}, {4}), dy = RandomF32({5, kOut}, {5});
  const auto factors = [] {
    LowRank made{RandomF32({kRank, kIn}, {2}), RandomF32({kOut, kRank}, {3}), 0.7};
    made.a.set_requires_grad();
    made.b.set_requires_grad();
    return made;
  };
  const LowRank packed = factors(), plain = factors();
  const Tensor sum = AddLowRank(weight, {packed.a.Detach(), packed.b.Detach(), packed.scale});
  const auto kept = std::make_shared<const SemiSparseWeight>(sum, mask);
  for (int pass = 0; pass < 2; ++pass) {  // As for two micro-batches, whose gradients add up.
    const Tensor y = MaskedLinear(x, LowRankHandle(sum, packed, &mask), {}, kept);
    const Tensor expected = Linear(x, AddLowRank(weight, plain, &mask));
    ExpectClose(y, expected);
    Sum(Mul(y, dy)).Backward();
    Sum(Mul(expected, dy)).Backward();
  }
  ExpectClose(packed.a.grad(), plain.a.grad());
  ExpectClose(packed.b.grad(), plain.b.grad());
}

TEST(LowRankTest, WrongShapesAndDTypes) {
  const Tensor weight = RandomF32({kOut, kIn}, {1});
  const LowRank good{RandomF32({kRank, kIn}, {2}), RandomF32({kOut, kRank}, {3}), 1};
  const auto expect = [&](const LowRank& factors, const char* message) {
    EXPECT_THAT([&] { AddLowRank(weight, factors); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  expect({good.a, RandomF32({kOut, kRank + 1}, {3}), 1},
         "AddLowRank: weight f32 [8, 12], a f32 [3, 12] and b f32 [8, 4]");
  expect({RandomF32({kRank, kIn + 1}, {2}), good.b, 1}, "expected [out, in], [r, in] and [out, r]");
  expect({RandomF64({kRank, kIn}, {2}), good.b, 1}, "a f64");
  expect({{}, good.b, 1}, "expected [out, in]");
  const Mask other(kOut, kIn + 4);
  EXPECT_THAT([&] { AddLowRank(weight, good, &other); }, ThrowsMessage<Error>(HasSubstr("mask [8, 16]")));
}

}  // namespace
}  // namespace twofour::sparse
