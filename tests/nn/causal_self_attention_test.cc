#include "twofour/nn/causal_self_attention.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/nn/gpt_block.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using ::testing::HasSubstr;

Tensor RandomInput(Shape shape, uint32_t stream = 7) {
  Tensor x = Tensor::Empty(std::move(shape));
  FillNormal(x, 0, 1, {3, stream, 0});
  return x;
}

std::map<std::string, Tensor> ByName(Module& module) {
  std::map<std::string, Tensor> tensors;
  for (const NamedTensor& named : module.NamedParameters()) tensors.emplace(named.name, named.tensor);
  return tensors;
}

TEST(CausalSelfAttentionTest, SharedKeyHeadsAreKeyHeadsWrittenOutForEachQueryHead) {
  constexpr int64_t kWidth = 24, kHeads = 6, kSize = kWidth / kHeads;
  const NoGradGuard no_grad;
  for (const int64_t kv_heads : {1, 2, 3}) {
    Generator generator(1);
    CausalSelfAttention shared({.width = kWidth, .heads = kHeads, .kv_heads = kv_heads}, generator);
    CausalSelfAttention written_out({.width = kWidth, .heads = kHeads}, generator);
    auto from = ByName(shared), to = ByName(written_out);
    for (const char* name : {"c_q.weight", "c_proj.weight"}) {
      std::copy_n(from.at(name).data<float>(), kWidth * kWidth, to.at(name).mutable_data<float>());
    }
    for (const char* name : {"c_k.weight", "c_v.weight"}) {
      for (int64_t head = 0; head < kHeads; ++head) {
        std::copy_n(from.at(name).data<float>() + head / (kHeads / kv_heads) * kSize * kWidth, kSize * kWidth,
                    to.at(name).mutable_data<float>() + head * kSize * kWidth);
      }
    }
    const Tensor x = RandomInput({2, 11, kWidth});
    ExpectClose(shared.Forward(x), written_out.Forward(x));
  }
}

TEST(CausalSelfAttentionTest, HeadsMayHaveASizeOfTheirOwn) {
  // The second of three key heads and its two query heads, taken out of a module in which the others say nothing.
  constexpr int64_t kWidth = 24, kSize = 4, kGroup = 2 * kSize;
  const NoGradGuard no_grad;
  Generator generator(1);
  CausalSelfAttention whole({.width = kWidth, .heads = 6, .kv_heads = 3}, generator);
  CausalSelfAttention one({.width = kWidth, .heads = 2, .kv_heads = 1, .head_features = kSize}, generator);
  EXPECT_EQ(one.head_size(), kSize);
  auto from = ByName(whole), to = ByName(one);
  EXPECT_EQ(to.at("c_q.weight").shape(), (Shape{kGroup, kWidth}));
  EXPECT_EQ(to.at("c_k.weight").shape(), (Shape{kSize, kWidth}));
  EXPECT_EQ(to.at("c_proj.weight").shape(), (Shape{kWidth, kGroup}));
  std::copy_n(from.at("c_q.weight").data<float>() + kGroup * kWidth, kGroup * kWidth,
              to.at("c_q.weight").mutable_data<float>());
  for (const char* name : {"c_k.weight", "c_v.weight"}) {
    std::copy_n(from.at(name).data<float>() + kSize * kWidth, kSize * kWidth, to.at(name).mutable_data<float>());
  }
  float* const whole_proj = from.at("c_proj.weight").mutable_data<float>();
  for (int64_t row = 0; row < kWidth; ++row) {
    float* const columns = whole_proj + row * kWidth;
    std::copy_n(columns + kGroup, kGroup, to.at("c_proj.weight").mutable_data<float>() + row * kGroup);
    std::fill_n(columns, kGroup, 0.0f);
    std::fill_n(columns + 2 * kGroup, kGroup, 0.0f);
  }
  const Tensor x = RandomInput({2, 11, kWidth});
  ExpectClose(one.Forward(x), whole.Forward(x));
}

TEST(CausalSelfAttentionTest, ASizeThatDividesTheWidthChangesNothing) {
  Generator first(1), second(1);
  CausalSelfAttention by_width({.width = 24, .heads = 6}, first);
  CausalSelfAttention by_size({.width = 24, .heads = 6, .head_features = 4}, second);
  const Tensor x = RandomInput({2, 5, 24});
  ExpectBitEqual(by_size.Forward(x), by_width.Forward(x));
}

TEST(CausalSelfAttentionTest, AWindowHidesWhatLiesBeforeIt) {
  constexpr int64_t kWidth = 8, kLength = 9, kWindow = 3, kChanged = 2;
  const NoGradGuard no_grad;
  Generator generator(1);
  CausalSelfAttention attention({.width = kWidth, .heads = 2, .window = kWindow}, generator);
  const Tensor x = RandomInput({1, kLength, kWidth});
  Tensor changed = x.Clone();
  changed.mutable_data<float>()[kChanged * kWidth] += 1;
  const std::vector<float> before = attention.Forward(x).ToVector(), after = attention.Forward(changed).ToVector();
  for (int64_t t = 0; t < kLength; ++t) {
    const bool same =
        std::equal(before.begin() + t * kWidth, before.begin() + (t + 1) * kWidth, after.begin() + t * kWidth);
    EXPECT_EQ(same, t < kChanged || t >= kChanged + kWindow) << "position " << t;
  }
}

TEST(CausalSelfAttentionTest, OnlyDistancesCount) {
  // A token that sees the same tokens at the same distances gets the same output at any position.
  constexpr int64_t kWidth = 8, kLength = 12, kShift = 5, kWindow = 4;
  const NoGradGuard no_grad;
  Generator generator(1);
  CausalSelfAttention attention({.width = kWidth, .heads = 2, .window = kWindow}, generator);
  const std::vector<float> x = RandomInput({kLength, kWidth}).ToVector();
  const auto from = [&](int64_t first) {
    const std::vector<float> tokens(x.begin() + first * kWidth, x.end());
    return attention.Forward(Tensor::FromVector(tokens, {1, kLength - first, kWidth})).ToVector();
  };
  const std::vector<float> whole = from(0), rest = from(kShift);
  for (int64_t i = (kWindow - 1) * kWidth; i < (kLength - kShift) * kWidth; ++i) {
    EXPECT_NEAR(rest[static_cast<size_t>(i)], whole[static_cast<size_t>(i + kShift * kWidth)], 1e-5) << i;
  }
  EXPECT_GT(std::abs(rest[0] - whole[kShift * kWidth]), 1e-3);  // Here it sees fewer tokens.
}

TEST(CausalSelfAttentionTest, RejectsHeadsThatDoNotFit) {
  Generator generator(1);
  const auto make = [&](const CausalSelfAttentionOptions& options) { CausalSelfAttention(options, generator); };
  EXPECT_ERROR(make({.width = 10, .heads = 4}), ErrorKind::kInvalidInput, HasSubstr("4"));
  EXPECT_ERROR(make({.width = 12, .heads = 4}), ErrorKind::kInvalidInput, HasSubstr("3"));
  EXPECT_ERROR(make({.width = 16, .heads = 4, .kv_heads = 3}), ErrorKind::kInvalidInput, HasSubstr("3"));
  EXPECT_ERROR(make({.width = -8, .heads = 3}), ErrorKind::kInvalidInput,
               "CausalSelfAttention: width is -8, expected a positive number");
  EXPECT_ERROR(make({.width = 10, .heads = 4, .kv_heads = 3}), ErrorKind::kInvalidInput,
               "CausalSelfAttention: heads is 4, expected a divisor of the width, which is 10");
  for (const int64_t heads : {0, -1}) {
    EXPECT_ERROR(make({.width = 8, .heads = heads}), ErrorKind::kInvalidInput,
                 fmt::format("CausalSelfAttention: heads is {}, expected a positive number", heads));
  }
  EXPECT_ERROR(make({.width = 16, .heads = 3, .head_features = 5}), ErrorKind::kInvalidInput,
               "CausalSelfAttention: head_features is 5, expected an even number: rotary positions turn pairs");
  EXPECT_ERROR(make({.width = 16, .heads = 3, .head_features = -2}), ErrorKind::kInvalidInput,
               "CausalSelfAttention: head_features is -2, expected 0 to 1048576");
  EXPECT_ERROR(make({.width = 16, .heads = int64_t{1} << 62, .head_features = 2}), ErrorKind::kInvalidInput,
               HasSubstr("expected at most 524288 with 2 features each"));
  // Each is told, whatever else is wrong.
  EXPECT_ERROR(make({.width = 0, .heads = 0, .kv_heads = 3}), ErrorKind::kInvalidInput,
               "CausalSelfAttention: width is 0, expected a positive number\n"
               "CausalSelfAttention: heads is 0, expected a positive number");
  CausalSelfAttention attention({.width = 8, .heads = 2}, generator);
  EXPECT_ERROR(attention.Forward(RandomInput({2, 3, 4})), ErrorKind::kInvalidInput, HasSubstr("[2, 3, 4]"));
  EXPECT_ERROR(attention.Forward(RandomInput({6, 8})), ErrorKind::kInvalidInput, HasSubstr("[6, 8]"));
}

TEST(GptBlockTest, ZeroProjectionsLetEverythingPass) {
  Generator generator(1);
  GptBlock block({.attention = {.width = 16, .heads = 2, .c_proj_init = LinearInit::Zero()},
                  .mlp = {.in_features = 16,
                          .hidden_features = 32,
                          .out_features = 16,
                          .bias = false,
                          .c_proj_init = LinearInit::Zero()}},
                 generator);
  const NoGradGuard no_grad;
  const Tensor x = RandomInput({2, 5, 16});
  ExpectBitEqual(block.Forward(x), x);
}

}  // namespace
}  // namespace twofour::nn
