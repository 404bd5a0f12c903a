#include "twofour/sparse/semi_sparse_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(SemiSparseWeightTest, MultipliesBothWays) {
  const Tensor weight = RandomF32({12, 20}, {.seed = 1});
  const SemiSparseWeight packed(weight, FindMask(weight, MaskMethod::kExact));
  const Tensor masked = ApplyMask(weight, packed.mask());
  EXPECT_EQ(packed.out_features(), 12);
  EXPECT_EQ(packed.in_features(), 20);
  for (const Shape& lead : {Shape{}, Shape{7}, Shape{2, 3}, Shape{0}, Shape{3, 0, 2}}) {
    Shape x_shape = lead, dy_shape = lead;
    x_shape.push_back(20);
    dy_shape.push_back(12);
    const Tensor x = RandomF32(x_shape, {.seed = 2}), dy = RandomF32(dy_shape, {.seed = 3});
    ExpectClose(packed.Forward(x), Linear(x, masked));
    const Tensor dx = packed.InputGrad(dy);
    EXPECT_EQ(dx.shape(), x_shape);
    ExpectClose(dx.View({x.rows(), 20}), MatMul(dy.View({x.rows(), 12}), masked));
  }
}

TEST(SemiSparseWeightTest, TakesMasksThatKeepMoreAsDenseMatrices) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const Tensor weight = RandomF32({64, 64}, {.seed = 1}), x = RandomF32({256, 64}, {.seed = 2});
  Mask mask = FindMask(weight, MaskMethod::kExact);
  EXPECT_EQ(SemiSparseWeight(weight, mask).format(), MaskFormat::TwoOfFour());
  mask.tiles()[37] = 0xffff;
  const SemiSparseWeight packed(weight, mask);
  EXPECT_EQ(packed.format(), MaskFormat::Unstructured());
  const Tensor masked = ApplyMask(weight, mask);
  ExpectClose(packed.Forward(x), Linear(x, masked));
  ExpectClose(packed.InputGrad(x), MatMul(x, masked));
  for (const LinearKernel& kernel : PairBucketKernels()) {
    EXPECT_THAT([&] { packed.Packed(kernel, Direction::kForward); },
                ThrowsMessage<Error>(HasSubstr(std::string(kernel.name))));
  }
}

TEST(SemiSparseWeightTest, PacksOnceForEachKernelAndDirection) {
  const Tensor weight = RandomF32({8, 8}, {.seed = 4}), x = RandomF32({2, 8}, {.seed = 5});
  const SemiSparseWeight packed(weight, FindMask(weight, MaskMethod::kExact));
  EXPECT_EQ(packed.packed_bytes(), 0u);
  {
    const ScopedEnv env("TWOFOUR_KERNEL", "masked_dense");
    packed.Forward(x);
    const size_t once = packed.packed_bytes();
    EXPECT_GT(once, 0u);
    packed.Forward(x);
    EXPECT_EQ(packed.packed_bytes(), once);
  }
  size_t sum = 0;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!Check(kernel, {8, 8, 2}).can()) continue;
    for (Direction direction : {Direction::kForward, Direction::kInputGrad}) {
      EXPECT_EQ(&packed.Packed(kernel, direction), &packed.Packed(kernel, direction));
      if (kernel.one_packing && direction == Direction::kInputGrad) continue;
      sum += kernel.pack(weight.data<float>(), packed.mask().view(), direction)->bytes();
    }
  }
  EXPECT_EQ(packed.packed_bytes(), sum);
}

TEST(SemiSparseWeightTest, AWriteBeforeAProductIsAnError) {
  // It must make no difference whether a kernel reads the weight itself or its packed form.
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    const ScopedEnv env("TWOFOUR_KERNEL", kernel.name);
    const Tensor x = RandomF32({2, 8}, {.seed = 7}).To(kernel.activation);
    Tensor weight = RandomF32({8, 8}, {.seed = 6});
    const SemiSparseWeight unpacked(weight, FindMask(weight, MaskMethod::kExact));
    const SemiSparseWeight used(weight, FindMask(weight, MaskMethod::kExact));
    used.Forward(x);
    weight.Fill(1);
    EXPECT_THAT([&] { unpacked.Forward(x); }, ThrowsMessage<Error>(HasSubstr("written to in place"))) << kernel.name;
    EXPECT_THAT([&] { used.Forward(x); }, ThrowsMessage<Error>(HasSubstr("written to in place"))) << kernel.name;
  }
}

TEST(SemiSparseWeightTest, ShapesMustAgree) {
  EXPECT_THAT(
      [] {
        SemiSparseWeight(Tensor::Zeros({8, 8}), Mask(8, 12));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("[8, 8]"), HasSubstr("[8, 12]"))));
  EXPECT_THROW(SemiSparseWeight(Tensor(), Mask(8, 12)), Error);
}

}  // namespace
}  // namespace twofour::sparse
