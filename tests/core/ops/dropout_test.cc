#include "twofour/core/ops/dropout.h"

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
using test::F32;
using test::I32;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(DropoutTest, KeepsOrScalesEachElement) {
  const Tensor x = RandomF32({1000}, {1}, 1, 2);
  const Tensor y = Dropout(x, 0.75, {7});
  int kept = 0;
  for (int i = 0; i < 1000; ++i) {
    const float v = y.data<float>()[i];
    if (v == 0) continue;
    ++kept;
    EXPECT_EQ(v, 4 * x.data<float>()[i]);
  }
  EXPECT_NEAR(kept, 250, 5 * std::sqrt(1000 * 0.75 * 0.25));
}

TEST(DropoutTest, MeanIsKept) {
  const Tensor y = Dropout(Tensor::Full({40000}, 1), 0.3, {11});
  double sum = 0;
  for (int i = 0; i < 40000; ++i) sum += static_cast<double>(y.data<float>()[i]);
  EXPECT_NEAR(sum / 40000, 1.0, 5 * std::sqrt(0.3 / 0.7 / 40000));
}

TEST(DropoutTest, DependsOnTheKeyAlone) {
  const Tensor x = Tensor::Full({64}, 1);
  const RandomKey key{.seed = 1, .stream = 2, .step = 3};
  ExpectBitEqual(Dropout(x, 0.5, key), Dropout(x, 0.5, key));
  EXPECT_NE(Dropout(x, 0.5, key).ToVector(), Dropout(x, 0.5, {1, 2, 4}).ToVector());
  EXPECT_NE(Dropout(x, 0.5, key).ToVector(), Dropout(x, 0.5, {1, 3, 3}).ToVector());
  EXPECT_NE(Dropout(x, 0.5, key).ToVector(), Dropout(x, 0.5, {2, 2, 3}).ToVector());
  // A larger p drops what a smaller p drops, and more.
  const Tensor few = Dropout(x, 0.2, key), many = Dropout(x, 0.6, key);
  for (int i = 0; i < 64; ++i) {
    EXPECT_TRUE(few.data<float>()[i] != 0 || many.data<float>()[i] == 0);
  }
}

TEST(DropoutTest, ExtremeProbabilities) {
  const Tensor x = RandomF32({3, 7}, {1});
  ExpectBitEqual(Dropout(x, 0.0, {1}), x);
  ExpectBitEqual(Dropout(x, 1.0, {1}), Tensor::Zeros({3, 7}));
}

TEST(DropoutTest, Gradients) {
  for (const double p : {0.0, 0.4, 1.0}) {
    const auto dropout = [p](const auto& in) { return Dropout(in[0], p, {.seed = 5, .stream = 1, .step = 9}); };
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{13}, Shape{3, 5}, Shape{0, 3}}) {
      SCOPED_TRACE(ToString(shape));
      EXPECT_TRUE(CheckGradients(dropout, {Leaf(RandomF64(shape, {1}))}));
    }
    EXPECT_TRUE(CheckGradients(dropout, {Leaf(RandomF64({331, 101}, {1}))}, {.max_varied = 7}));
  }
}

TEST(DropoutTest, Errors) {
  const Tensor x = Tensor::Zeros({2});
  EXPECT_THAT([&] { Dropout(x, 1.5, {1}); },
              ThrowsMessage<Error>(HasSubstr("Dropout: p is 1.5, expected a probability in [0, 1]")));
  EXPECT_THAT([&] { Dropout(x, -0.1, {1}); }, ThrowsMessage<Error>(HasSubstr("Dropout: p is -0.1")));
  EXPECT_THAT([&] { Dropout(x, NAN, {1}); }, ThrowsMessage<Error>(HasSubstr("Dropout: p is nan")));
  EXPECT_THAT([&] { Dropout(Tensor(), 0.5, {1}); }, ThrowsMessage<Error>(HasSubstr("Dropout: x is undefined")));
  EXPECT_THAT([&] { Dropout(I32({1}, {1}), 0.5, {1}); }, ThrowsMessage<Error>(HasSubstr("Dropout: x has dtype i32")));
}

}  // namespace
}  // namespace twofour
