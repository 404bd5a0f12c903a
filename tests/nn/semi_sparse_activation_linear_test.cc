#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/mask_method.h"
#include "twofour/sparse/ops.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::MaskMethod;
using test::ExpectBitEqual;
using test::RandomF32;

TEST(SemiSparseActivationLinearTest, PrunesItsInput) {
  const Tensor weight = RandomF32({5, 8}, {.seed = 1}), bias = RandomF32({5}, {.seed = 2});
  for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    SemiSparseActivationLinear layer(weight.Clone(), bias.Clone(), algorithm);
    EXPECT_EQ(layer.type_name(), "SemiSparseActivationLinear");
    Tensor x = RandomF32({6, 8}, {.seed = 3});
    x.set_requires_grad();
    const Tensor dy = RandomF32({6, 5}, {.seed = 4});
    Tensor pruned = sparse::PruneTiles(x.Detach(), algorithm), w = weight.Clone(), b = bias.Clone();
    for (Tensor* leaf : {&pruned, &w, &b}) leaf->set_requires_grad();
    const Tensor y = layer.Forward(x), expected = ops::Linear(pruned, w, b);
    ExpectBitEqual(y.Detach(), expected.Detach());
    y.Backward(dy);
    expected.Backward(dy);
    ExpectBitEqual(x.grad(), pruned.grad());  // Straight through.
    ExpectBitEqual(layer.weight().grad(), w.grad());
    ExpectBitEqual(layer.bias().grad(), b.grad());
  }
  EXPECT_THROW(SemiSparseActivationLinear(Tensor::Zeros({5, 6}), Tensor()), Error);
}

}  // namespace
}  // namespace twofour::nn
