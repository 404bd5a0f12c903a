#include "twofour/core/ops/norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "twofour/core/error.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::F64;
using test::I32;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<Shape>& Shapes() {
  static const std::vector<Shape> shapes = {{1}, {7}, {5, 1}, {3, 11}, {2, 3, 5}, {0, 4}, {4, 0}};
  return shapes;
}

TEST(RmsNormTest, KnownValues) {
  // mean(x^2) = (9 + 16 + 0 + 0) / 4 = 6.25.
  const Tensor x = F64({3, -4, 0, 0}, {1, 4});
  ExpectClose(RmsNorm(x, Tensor(), 0.0), F64({1.2, -1.6, 0, 0}, {1, 4}), 1e-15, 0);
  ExpectClose(RmsNorm(x, F64({10, 5, 2, 1}, {4}), 0.0), F64({12, -8, 0, 0}, {1, 4}), 1e-15, 0);
  ExpectClose(RmsNorm(x, Tensor(), 18.75), F64({0.6, -0.8, 0, 0}, {1, 4}), 1e-15, 0);
}

TEST(RmsNormTest, RowsHaveUnitMeanSquareWhateverTheirScale) {
  const Tensor x = RandomF32({4, 50}, {1}, -1e4, 1e4);
  const Tensor y = RmsNorm(x);
  for (int r = 0; r < 4; ++r) {
    double squares = 0;
    for (int c = 0; c < 50; ++c) squares += std::pow(static_cast<double>(y.data<float>()[r * 50 + c]), 2);
    EXPECT_NEAR(squares / 50, 1.0, 1e-5);
  }
}

TEST(RmsNormTest, Gradients) {
  const auto norm = [](const auto& in) { return RmsNorm(in[0], in[1], 1e-3); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    const Tensor x = RandomF64(shape, {1}), weight = RandomF64({shape.back()}, {2});
    EXPECT_TRUE(CheckGradients(norm, {Leaf(x), Leaf(weight)}));
    EXPECT_TRUE(CheckGradients(norm, {Leaf(x), weight}));
    EXPECT_TRUE(CheckGradients(norm, {x, Leaf(weight)}));
    EXPECT_TRUE(CheckGradients(norm, {Leaf(x), Tensor()}));
  }
  EXPECT_TRUE(CheckGradients(norm, {Leaf(RandomF64({401, 307}, {1})), Leaf(RandomF64({307}, {2}))}, {.max_varied = 3}));
}

TEST(RmsNormTest, ZeroRowStaysZero) { ExpectBitEqual(RmsNorm(Tensor::Zeros({2, 3})), Tensor::Zeros({2, 3})); }

TEST(LayerNormTest, KnownValues) {
  // Mean 2, biased variance ((1 + 1 + 9 + 9) / 4) = 5; eps 4 makes the divisor 3.
  const Tensor x = F64({1, 3, -1, 5}, {4});
  ExpectClose(LayerNorm(x, Tensor(), Tensor(), 4.0), F64({-1.0 / 3, 1.0 / 3, -1, 1}, {4}), 1e-15, 0);
  ExpectClose(LayerNorm(x, F64({3, 6, 1, 2}, {4}), F64({1, 0, 0, -1}, {4}), 4.0), F64({0, 2, -1, 1}, {4}), 1e-15,
              1e-15);
}

TEST(LayerNormTest, RowsHaveMeanZeroAndVarianceOne) {
  const Tensor y = LayerNorm(RandomF32({4, 64}, {1}, 5, 9));
  for (int r = 0; r < 4; ++r) {
    double sum = 0, squares = 0;
    for (int c = 0; c < 64; ++c) {
      const double v = static_cast<double>(y.data<float>()[r * 64 + c]);
      sum += v;
      squares += v * v;
    }
    EXPECT_NEAR(sum / 64, 0.0, 1e-6);
    EXPECT_NEAR(squares / 64, 1.0, 1e-4);
  }
}

TEST(LayerNormTest, LargeMeanCostsNoPrecision) {
  // 2^20 plus small numbers: summing squares and subtracting the squared mean would lose everything in f32.
  const Tensor x = F32({1048576 - 1.5f, 1048576 - 0.5f, 1048576 + 0.5f, 1048576 + 1.5f}, {4});
  const Tensor centered = F32({-1.5, -0.5, 0.5, 1.5}, {4});
  ExpectClose(LayerNorm(x), LayerNorm(centered), 1e-6, 0);
}

TEST(LayerNormTest, Gradients) {
  const auto norm = [](const auto& in) { return LayerNorm(in[0], in[1], in[2], 1e-3); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    const Tensor x = RandomF64(shape, {1}), weight = RandomF64({shape.back()}, {2}),
                 bias = RandomF64({shape.back()}, {3});
    for (int wanted = 1; wanted < 8; ++wanted) {
      for (int absent = 0; absent < 4; ++absent) {
        if ((wanted >> 1) & absent) continue;
        SCOPED_TRACE(::testing::Message() << "gradients " << wanted << ", without " << absent);
        const Tensor w = absent & 1 ? Tensor() : (wanted & 2 ? Leaf(weight) : weight);
        const Tensor b = absent & 2 ? Tensor() : (wanted & 4 ? Leaf(bias) : bias);
        EXPECT_TRUE(CheckGradients(norm, {wanted & 1 ? Leaf(x) : x, w, b}));
      }
    }
  }
  EXPECT_TRUE(
      CheckGradients(norm, {Leaf(RandomF64({401, 307}, {1})), Leaf(RandomF64({307}, {2})), Leaf(RandomF64({307}, {3}))},
                     {.max_varied = 3}));
}

TEST(LayerNormTest, ConstantRowGivesBias) {
  ExpectBitEqual(LayerNorm(Tensor::Full({2, 3}, 7), F32({1, 2, 3}, {3}), F32({4, 5, 6}, {3})),
                 F32({4, 5, 6, 4, 5, 6}, {2, 3}));
}

TEST(NormTest, ScalarIsARowOfOne) {
  ExpectClose(RmsNorm(Tensor::Scalar(-2)), Tensor::Scalar(-1), 1e-6, 0);
  ExpectBitEqual(LayerNorm(Tensor::Scalar(-2)), Tensor::Scalar(0));
}

TEST(NormTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3}), four = Tensor::Zeros({4}), f64 = Tensor::Zeros({3}, DType::kF64);
  EXPECT_THAT([&] { RmsNorm(x, four); },
              ThrowsMessage<Error>(HasSubstr("RmsNorm: weight has shape [4], expected [3]")));
  EXPECT_THAT([&] { RmsNorm(x, f64); }, ThrowsMessage<Error>(HasSubstr("RmsNorm: weight has dtype f64, expected f32")));
  EXPECT_THAT([&] { RmsNorm(Tensor()); }, ThrowsMessage<Error>(HasSubstr("RmsNorm: x is undefined")));
  EXPECT_THAT([&] { LayerNorm(x, four); },
              ThrowsMessage<Error>(HasSubstr("LayerNorm: weight has shape [4], expected [3]")));
  EXPECT_THAT([&] { LayerNorm(x, Tensor(), four); },
              ThrowsMessage<Error>(HasSubstr("LayerNorm: bias has shape [4], expected [3]")));
  EXPECT_THAT([&] { LayerNorm(x, Tensor(), f64); },
              ThrowsMessage<Error>(HasSubstr("LayerNorm: bias has dtype f64, expected f32")));
  EXPECT_THAT([&] { LayerNorm(I32({1}, {1})); }, ThrowsMessage<Error>(HasSubstr("LayerNorm: x has dtype i32")));
}

}  // namespace
}  // namespace twofour
