#include "twofour/nn/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using ::testing::HasSubstr;

Gpt& TestModel() {
  static Generator generator(7);
  static Gpt gpt({.vocab_size = 13,
                  .sequence_length = 12,
                  .depth = 2,
                  .width = 16,
                  .heads = 2,
                  .init = {.head_std = 1, .projection_std = 0.3}},
                 generator);
  return gpt;
}

/// Generates without a cache: for each token, it computes everything so far from the beginning.
std::vector<int32_t> GreedyByForward(std::vector<int32_t> tokens, int64_t count) {
  const size_t prompt = tokens.size();
  for (int64_t i = 0; i < count; ++i) {
    const Tensor logits = TestModel().Forward(test::I32(tokens, {1, static_cast<int64_t>(tokens.size())}));
    const float* last = logits.data<float>() + (static_cast<int64_t>(tokens.size()) - 1) * 13;
    tokens.push_back(static_cast<int32_t>(std::max_element(last, last + 13) - last));
  }
  return {tokens.begin() + static_cast<std::ptrdiff_t>(prompt), tokens.end()};
}

TEST(GenerateTest, ContinuesAsForwardWouldFarBeyondWhatTheModelSees) {
  // 700 tokens of prompt go through the cache in portions. It has 12 + 12 + 256 rows, so old ones are dropped again and
  // again.
  std::vector<int32_t> prompt;
  for (int32_t i = 0; i < 700; ++i) prompt.push_back(i * i % 13);
  const GenerateOptions greedy{.tokens = 20, .sampling = {.temperature = 0}};
  EXPECT_EQ(Generate(TestModel(), prompt, greedy), GreedyByForward(prompt, 20));
  EXPECT_EQ(Generate(TestModel(), std::vector<int32_t>{3}, greedy), GreedyByForward({3}, 20));
}

TEST(GenerateTest, DrawsBySeed) {
  const std::vector<int32_t> prompt{1, 2};
  const auto draw = [&](uint64_t seed) { return Generate(TestModel(), prompt, {.tokens = 30, .seed = seed}); };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(GenerateTest, StopsWhenTold) {
  std::vector<int32_t> seen;
  const std::vector<int32_t> drawn = Generate(TestModel(), std::vector<int32_t>{1}, {.tokens = 30}, [&](int32_t token) {
    seen.push_back(token);
    return seen.size() < 4;
  });
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(drawn, seen);
}

TEST(GenerateTest, RejectsNothingToBeginWith) {
  EXPECT_ERROR(Generate(TestModel(), {}, {}), ErrorKind::kInvalidInput, HasSubstr("prompt is empty"));
  EXPECT_ERROR(Generate(TestModel(), std::vector<int32_t>{1}, {.tokens = -1}), ErrorKind::kInvalidInput,
               HasSubstr("-1 tokens"));
  EXPECT_TRUE(Generate(TestModel(), std::vector<int32_t>{1}, {.tokens = 0}).empty());
}

}  // namespace
}  // namespace twofour::nn
