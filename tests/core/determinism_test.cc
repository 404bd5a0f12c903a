// Every op, forward and backward, gives the same bits for any number of threads. The sizes are large enough for at
// least three ranges everywhere.
#include <gtest/gtest.h>

#include <ostream>

#include "twofour/core/ops.h"

#include "tests/support/case_tables.h"
#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::RandomF64;
using test::RandomIndices;
using test::ScopedNumThreads;

struct Case {
  const char* name;
  std::vector<Shape> inputs;
  test::TensorFunction function;
  size_t activations = 0;  ///< How many inputs, the first ones, may be bf16 while the others are f32.
  uint32_t indices = 0;    ///< If not 0, there is one more, last, input: indices below this.
  friend void PrintTo(const Case& test_case, std::ostream* out) { *out << test_case.name; }
};

std::vector<Case> Cases() {
  const Shape big = {160, 401};
  return {
      {"MatMul", {{601, 67}, {67, 1030}}, [](const auto& in) { return MatMul(in[0], in[1]); }},
      {"Linear", {{777, 67}, {1030, 67}, {1030}}, [](const auto& in) { return Linear(in[0], in[1], in[2]); }, 1},
      {"Add", {big, big}, [](const auto& in) { return Add(in[0], in[1]); }, 2},
      {"Mul", {big, big}, [](const auto& in) { return Mul(in[0], in[1]); }, 2},
      {"Scale", {big}, [](const auto& in) { return Scale(in[0], 0.3); }, 1},
      {"Sum", {big}, [](const auto& in) { return Sum(in[0]); }},
      {"Mean", {big}, [](const auto& in) { return Mean(in[0]); }},
      {"Relu", {big}, [](const auto& in) { return Relu(in[0]); }, 1},
      {"ReluSquared", {big}, [](const auto& in) { return ReluSquared(in[0]); }, 1},
      {"Gelu", {big}, [](const auto& in) { return Gelu(in[0]); }, 1},
      {"GeluTanh", {big}, [](const auto& in) { return GeluTanh(in[0]); }, 1},
      {"SoftCap", {big}, [](const auto& in) { return SoftCap(in[0], 0.7); }, 1},
      {"SwiGlu", {big, big}, [](const auto& in) { return SwiGlu(in[0], in[1]); }, 2},
      {"RmsNorm", {{401, 401}, {401}}, [](const auto& in) { return RmsNorm(in[0], in[1]); }, 1},
      {"LayerNorm", {{401, 401}, {401}, {401}}, [](const auto& in) { return LayerNorm(in[0], in[1], in[2]); }, 1},
      {"Softmax", {big}, [](const auto& in) { return Softmax(in[0]); }},
      {"LogSoftmax", {big}, [](const auto& in) { return LogSoftmax(in[0]); }},
      {"CrossEntropyLoss", {big}, [](const auto& in) { return CrossEntropyLoss(in[0], in[1].View({160})); }, 0, 401},
      {"MseLoss", {big, big}, [](const auto& in) { return MseLoss(in[0], in[1]); }},
      {"HuberLoss", {big, big}, [](const auto& in) { return HuberLoss(in[0], in[1]); }},
      {"Embedding", {{31, 160}}, [](const auto& in) { return Embedding(in[1], in[0]); }, 0, 31},
      {"Rotary", {{2, 401, 2, 62}}, [](const auto& in) { return Rotary(in[0]); }, 1},
      {"CausalAttention",
       {{1, 301, 6, 20}, {1, 401, 3, 20}, {1, 401, 3, 20}},
       [](const auto& in) { return CausalAttention(in[0], in[1], in[2]); }},
      {"Dropout",
       {big},
       [](const auto& in) {
         return Dropout(in[0], 0.4, {1, 2, 3});
       },
       1},
      {"Embedding16",
       {{31, 160}},
       [](const auto& in) {
         return Embedding(in[1], in[0], in[0].dtype() == DType::kF64 ? DType::kF64 : DType::kBF16);
       },
       0,
       31},
      {"SumOfGradients",
       {big},
       [](const auto& in) {
         const Tensor x = Relu(in[0]);
         return Add(Add(Scale(x, 2), Scale(x, 3)), Relu(x));
       },
       1},
  };
}

class DeterminismTest : public ::testing::TestWithParam<Case> {
 protected:
  /// The output and all gradients.
  static std::vector<Tensor> Run(int threads, DType activations) {
    const DType parameters = ComputeDType(activations);
    const ScopedNumThreads scoped(threads);
    std::vector<Tensor> inputs;
    for (const Shape& shape : GetParam().inputs) {
      const DType dtype = inputs.size() < GetParam().activations ? activations : parameters;
      inputs.push_back(RandomF64(shape, {.seed = 1, .stream = static_cast<uint32_t>(inputs.size())}).To(dtype).Clone());
      inputs.back().set_requires_grad();
    }
    const size_t leaves = inputs.size();
    if (GetParam().indices > 0) {
      const int64_t count = GetParam().inputs[0][0] == 160 ? 160 : 900;
      inputs.push_back(RandomIndices({count}, GetParam().indices, {2}));
    }
    std::vector<Tensor> results = {GetParam().function(inputs)};
    results[0].Backward(RandomF64(results[0].shape(), {3}).To(results[0].dtype()));
    for (size_t i = 0; i < leaves; ++i) results.push_back(inputs[i].grad());
    return results;
  }
};

TEST_P(DeterminismTest, SameBitsForAnyNumberOfThreads) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kBF16}) {
    if (dtype == DType::kBF16 && GetParam().activations == 0) continue;
    const std::vector<Tensor> expected = Run(1, dtype);
    for (const int threads : {2, 3, 8}) {
      SCOPED_TRACE(threads);
      const std::vector<Tensor> actual = Run(threads, dtype);
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t i = 0; i < actual.size(); ++i) ExpectBitEqual(actual[i], expected[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllOps, DeterminismTest, ::testing::ValuesIn(Cases()), test::ByName());

}  // namespace
}  // namespace twofour
