#include "twofour/core/ops/embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
using test::RandomIndices;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor EmbeddingOf(const std::vector<Tensor>& in) { return Embedding(in[0], in[1]); }

TEST(EmbeddingTest, GathersRows) {
  const Tensor weight = F32({1, 2, 3, 4, 5, 6}, {3, 2});
  ExpectBitEqual(Embedding(I32({2, 0, 2}, {3}), weight), F32({5, 6, 1, 2, 5, 6}, {3, 2}));
  ExpectBitEqual(Embedding(I32({1, 2}, {2, 1}), weight), F32({3, 4, 5, 6}, {2, 1, 2}));
  ExpectBitEqual(Embedding(I32({1}, {}), weight), F32({3, 4}, {2}));
  ExpectBitEqual(Embedding(I32({}, {0, 4}), weight), Tensor::Empty({0, 4, 2}));
}

TEST(EmbeddingTest, GradientsOfEqualIndicesAddUp) {
  Tensor weight = Tensor::Zeros({4, 2});
  weight.set_requires_grad();
  Embedding(I32({3, 0, 3, 3}, {4}), weight).Backward(F32({1, 2, 10, 20, 100, 200, 1000, 2000}, {4, 2}));
  ExpectBitEqual(weight.grad(), F32({10, 20, 0, 0, 0, 0, 1101, 2202}, {4, 2}));
}

TEST(EmbeddingTest, Gradients) {
  EXPECT_TRUE(CheckGradients(EmbeddingOf, {I32({4, 1, 1, 4, 4, 0}, {2, 3}), Leaf(RandomF64({5, 3}, {1}))}));
  EXPECT_TRUE(CheckGradients(EmbeddingOf, {I32({}, {0}), Leaf(RandomF64({5, 3}, {1}))}));
  EXPECT_TRUE(CheckGradients(EmbeddingOf, {I32({}, {0}), Leaf(RandomF64({0, 3}, {1}))}));
  EXPECT_TRUE(CheckGradients(EmbeddingOf, {I32({1, 1}, {2}), Leaf(RandomF64({2, 0}, {1}))}));
  EXPECT_TRUE(
      CheckGradients(EmbeddingOf, {RandomIndices({997}, 13, {2}), Leaf(RandomF64({13, 101}, {1}))}, {.max_varied = 5}));
}

TEST(EmbeddingTest, RowsOf16BitsAreRoundedAndTheirGradientsAreAddedUpInF32) {
  const Tensor indices = RandomIndices({5, 41}, 7, {1});
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    for (const int64_t features : {0, 1, 15, 17, 67}) {
      SCOPED_TRACE(::testing::Message() << NameOf(dtype) << ", " << features << " features");
      const Tensor weight = RandomF32({7, features}, {2}).set_requires_grad();
      const Tensor same = weight.Clone().set_requires_grad();
      const Tensor rows = Embedding(indices, weight, dtype), expected = Embedding(indices, same);
      ExpectBitEqual(rows.Detach(), expected.To(dtype));
      const Tensor dy = RandomF32(rows.shape(), {3}).To(dtype);
      rows.Backward(dy);
      expected.Backward(dy.To(DType::kF32));
      ExpectBitEqual(weight.grad(), same.grad());
    }
  }
  ExpectBitEqual(Embedding(I32({1}, {1}), Tensor::Zeros({2, 3}, DType::kF64), DType::kF64),
                 Tensor::Zeros({1, 3}, DType::kF64));
}

TEST(EmbeddingTest, Errors) {
  const Tensor weight = Tensor::Zeros({3, 2});
  EXPECT_THAT(
      [&] {
        Embedding(I32({0, 3}, {2}), weight);
      },
      ThrowsMessage<Error>(HasSubstr("Embedding: index 3 at position 1 is outside [0, 3)")));
  EXPECT_THAT([&] { Embedding(I32({-1}, {1}), weight); }, ThrowsMessage<Error>(HasSubstr("index -1 at position 0")));
  EXPECT_THAT([&] { Embedding(I32({0}, {1}), Tensor::Zeros({3})); },
              ThrowsMessage<Error>(HasSubstr("Embedding: weight has shape [3], expected [entries, features]")));
  EXPECT_THAT([&] { Embedding(F32({0}, {1}), weight); },
              ThrowsMessage<Error>(HasSubstr("Embedding: indices has dtype f32, expected i32")));
  EXPECT_THAT([&] { Embedding(I32({0}, {1}), weight, DType::kF64); },
              ThrowsMessage<Error>(HasSubstr("Embedding: dtype f64 for a weight of f32, expected f32, f16 or bf16")));
  EXPECT_THAT(
      [&] {
        Embedding(I32({0}, {1}), Tensor::Zeros({3, 2}, DType::kF64), DType::kBF16);
      },
      ThrowsMessage<Error>(HasSubstr("Embedding: dtype bf16 for a weight of f64, expected f64")));
  EXPECT_THAT([&] { Embedding(I32({0}, {1}), Tensor()); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Embedding: weight is undefined"))));
}

}  // namespace
}  // namespace twofour
