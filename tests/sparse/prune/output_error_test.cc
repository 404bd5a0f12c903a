#include "twofour/sparse/prune/output_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "twofour/core/error.h"

#include "tests/sparse/prune/layers_to_prune.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using test::LayerToPrune;
using test::RandomF32;
using ::testing::HasSubstr;

TEST(OutputErrorTest, ComparesOutputs) {
  const LayerToPrune layer(300, 12, 40, 1);  // More rows than are multiplied at a time.
  Tensor pruned = layer.weight.Clone();
  for (int64_t i = 0; i < pruned.numel(); i += 3) pruned.mutable_data<float>()[i] = 0;
  double difference = 0, all = 0;
  for (int64_t s = 0; s < 40; ++s) {
    for (int64_t row = 0; row < 300; ++row) {
      double before = 0, after = 0;
      for (int64_t j = 0; j < 12; ++j) {
        const auto x = static_cast<double>(layer.x.data<float>()[s * 12 + j]);
        before += x * static_cast<double>(layer.weight.data<float>()[row * 12 + j]);
        after += x * static_cast<double>(pruned.data<float>()[row * 12 + j]);
      }
      difference += (before - after) * (before - after);
      all += before * before;
    }
  }
  EXPECT_NEAR(OutputError(layer.weight, pruned, layer.statistics.Gram()), std::sqrt(difference / all), 1e-12);
  EXPECT_EQ(OutputError(layer.weight, layer.weight, layer.statistics.Gram()), 0);
  EXPECT_NEAR(OutputError(layer.weight, Tensor::Zeros({300, 12}), layer.statistics.Gram()), 1, 1e-6);
  EXPECT_EQ(OutputError(Tensor::Zeros({2, 2}), Tensor::Zeros({2, 2}), Tensor::Zeros({2, 2}, DType::kF64)), 0);
}

/// Two features that are nearly the same, and weights that nearly cancel each other out.
TEST(OutputErrorTest, HoldsWhereInputsAreNearlyDependent) {
  const int64_t samples = 500;
  const Tensor cause = RandomF32({samples, 1}, {.seed = 1}), noise = RandomF32({samples, 1}, {.seed = 2});
  const Tensor weight = F32({0.7f, -0.7f}, {1, 2}), pruned = F32({0.0003f, 0}, {1, 2});
  Tensor x = Tensor::Empty({samples, 2});
  double difference = 0, all = 0;
  for (int64_t s = 0; s < samples; ++s) {
    float* const of_sample = x.mutable_data<float>() + 2 * s;
    of_sample[0] = cause.data<float>()[s];
    of_sample[1] = cause.data<float>()[s] + 1e-4f * noise.data<float>()[s];
    double before = 0, after = 0;
    for (int64_t j = 0; j < 2; ++j) {
      before += static_cast<double>(of_sample[j]) * static_cast<double>(weight.data<float>()[j]);
      after += static_cast<double>(of_sample[j]) * static_cast<double>(pruned.data<float>()[j]);
    }
    difference += (before - after) * (before - after);
    all += before * before;
  }
  InputStatistics statistics(2, InputStatistics::Extent::kGram);
  statistics.Add(x, "x");
  const double expected = std::sqrt(difference / all);
  EXPECT_GT(expected, 4);
  EXPECT_NEAR(OutputError(weight, pruned, statistics.Gram()), expected, 1e-5 * expected);
}

TEST(OutputErrorTest, RefusesOtherShapes) {
  EXPECT_ERROR(OutputError(Tensor::Zeros({2, 3}), Tensor::Zeros({2, 3}), Tensor::Zeros({2, 2}, DType::kF64)),
               ErrorKind::kInvalidInput, HasSubstr("a weight of shape [2, 3] and a Gram matrix of shape [2, 2]"));
  EXPECT_ERROR(OutputError(Tensor::Zeros({2, 2}), Tensor::Zeros({2, 3}), Tensor::Zeros({2, 2}, DType::kF64)),
               ErrorKind::kInvalidInput, HasSubstr("pruned"));
}

}  // namespace
}  // namespace twofour::sparse
