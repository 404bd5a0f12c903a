// Ops on activations of bf16 allocate no copies of them in f32, neither to compute with nor to keep for the backward
// pass.
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <vector>

#include "twofour/core/block_cache.h"
#include "twofour/core/ops.h"

#include "tests/support/case_tables.h"
#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::RandomF32;

constexpr int64_t kRows = 512, kCols = 256;
constexpr size_t kF32Bytes = sizeof(float) * kRows * kCols;

struct Case {
  const char* name;
  int activations;
  test::TensorFunction function;  ///< Gets the activations.
  friend void PrintTo(const Case& test_case, std::ostream* out) { *out << test_case.name; }
};

Tensor Row(uint64_t seed) { return RandomF32({kCols}, {.seed = seed}).set_requires_grad(); }

std::vector<Case> Cases() {
  return {
      {"Relu", 1, [](const auto& in) { return Relu(in[0]); }},
      {"ReluSquared", 1, [](const auto& in) { return ReluSquared(in[0]); }},
      {"Gelu", 1, [](const auto& in) { return Gelu(in[0]); }},
      {"GeluTanh", 1, [](const auto& in) { return GeluTanh(in[0]); }},
      {"SoftCap", 1, [](const auto& in) { return SoftCap(in[0], 0.7); }},
      {"SwiGlu", 2, [](const auto& in) { return SwiGlu(in[0], in[1]); }},
      {"Add", 2, [](const auto& in) { return Add(in[0], in[1]); }},
      {"Mul", 2, [](const auto& in) { return Mul(in[0], in[1]); }},
      {"Scale", 1, [](const auto& in) { return Scale(in[0], 0.3); }},
      {"Dropout", 1, [](const auto& in) { return Dropout(in[0], 0.4, {.seed = 5}); }},
      {"RmsNorm", 1, [](const auto& in) { return RmsNorm(in[0], Row(1)); }},
      {"LayerNorm", 1, [](const auto& in) { return LayerNorm(in[0], Row(1), Row(2)); }},
      {"Rotary", 1,
       [](const auto& in) {
         return Rotary(Reshape(in[0], {2, kRows / 2, 4, kCols / 4}));
       }},
      {"ThreeReaders", 1,
       [](const auto& in) {
         const Tensor x = Relu(in[0]);  // Three gradients are added up for it.
         return Add(Add(Scale(x, 2), Scale(x, 3)), Relu(x));
       }},
  };
}

/// Whether the op, forward or backward, allocates a block as large as a copy of an activation in f32. The cache keeps
/// all large blocks that were given back.
bool Widens(const Case& test_case, DType dtype) {
  std::vector<Tensor> inputs;
  for (int i = 0; i < test_case.activations; ++i) {
    inputs.push_back(RandomF32({kRows, kCols}, {.seed = 3, .stream = static_cast<uint32_t>(i)}).To(dtype));
    inputs.back().set_requires_grad();
  }
  const Tensor dy = RandomF32({kRows, kCols}, {.seed = 4}).To(dtype);
  BlockCache& cache = BlockCache::Default();
  cache.Clear();
  {
    const Tensor y = test_case.function(inputs);
    EXPECT_EQ(y.dtype(), dtype);
    y.Backward(dy.View(y.shape()));
  }
  const size_t before = cache.cached_bytes();
  cache.Free(cache.Allocate(kF32Bytes), kF32Bytes);
  return cache.cached_bytes() == before;  // Otherwise the block is one more.
}

class Bf16MemoryTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    BlockCache cache(kF32Bytes);
    cache.Free(cache.Allocate(kF32Bytes), kF32Bytes);
    if (cache.cached_bytes() == 0) GTEST_SKIP() << "AddressSanitizer: nothing is cached";
  }
};

TEST_P(Bf16MemoryTest, NothingIsWidened) { EXPECT_FALSE(Widens(GetParam(), DType::kBF16)); }

TEST_P(Bf16MemoryTest, TheCacheShowsWhereTheyAre) {
  const auto function = [&](const auto& in) {
    std::vector<Tensor> wide;
    for (const Tensor& tensor : in) wide.push_back(Cast(tensor, DType::kF32));
    return Cast(GetParam().function(wide), in[0].dtype());
  };
  EXPECT_TRUE(Widens({GetParam().name, GetParam().activations, function}, DType::kBF16));
}

INSTANTIATE_TEST_SUITE_P(All, Bf16MemoryTest, ::testing::ValuesIn(Cases()), test::ByName());

}  // namespace
}  // namespace twofour
