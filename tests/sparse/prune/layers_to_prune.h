#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "twofour/core/tensor.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/prune/pruned_weight.h"

#include "tests/support/tensors.h"

namespace twofour::test {

/// A weight, and inputs whose features depend on each other and are of different sizes, as those of trained models are.
struct LayerToPrune {
  LayerToPrune(int64_t out, int64_t in, int64_t samples, uint64_t seed)
      : weight(RandomF32({out, in}, {.seed = seed})), x(Tensor::Zeros({samples, in})), statistics(in, kGram) {
    const int64_t causes = in / 2 + 1;
    const Tensor mix = RandomF32({causes, in}, {.seed = seed, .stream = 1});
    const Tensor cause = RandomF32({samples, causes}, {.seed = seed, .stream = 2});
    const Tensor noise = RandomF32({samples, in}, {.seed = seed, .stream = 3});
    for (int64_t s = 0; s < samples; ++s) {
      for (int64_t j = 0; j < in; ++j) {
        float sum = 0.5f * noise.data<float>()[s * in + j] + 0.2f;
        for (int64_t c = 0; c < causes; ++c) {
          sum += cause.data<float>()[s * causes + c] * mix.data<float>()[c * in + j];
        }
        x.mutable_data<float>()[s * in + j] = sum * (j % 5 == 0 ? 3.0f : 1.0f);
      }
    }
    statistics.Add(x, "x");
  }

  /// Makes a feature 0 in all samples.
  void Kill(int64_t feature) {
    for (int64_t s = 0; s < x.dim(0); ++s) x.mutable_data<float>()[s * x.dim(1) + feature] = 0;
    Count();
  }
  /// Measures inputs in another unit.
  void Scale(float factor) {
    for (int64_t i = 0; i < x.numel(); ++i) x.mutable_data<float>()[i] *= factor;
    Count();
  }

  static constexpr auto kGram = sparse::InputStatistics::Extent::kGram;
  Tensor weight, x;
  sparse::InputStatistics statistics;

 private:
  void Count() {
    statistics = sparse::InputStatistics(x.dim(1), kGram);
    statistics.Add(x, "x");
  }
};

/// Fails unless a layer one of whose features is dead is pruned in the same way whatever the unit of its inputs is.
template <typename Prune>
void ExpectTheSameInAnyUnit(const Prune& prune) {
  sparse::PrunedWeight expected;
  for (const float unit : {1.0f, 1e-3f, 1e3f}) {
    SCOPED_TRACE(unit);
    LayerToPrune layer(12, 24, 200, 9);
    layer.Kill(5);
    layer.Scale(unit);
    sparse::PrunedWeight pruned = prune(layer);
    if (unit == 1) expected = pruned;
    EXPECT_EQ(pruned.mask, expected.mask);
    ExpectClose(pruned.weight, expected.weight, 1e-4, 1e-5);
  }
}

/// Fails unless powers of two in weights and inputs change nothing but the weights' unit, to the bit. Squares of these
/// are beyond the range of a float.
template <typename Prune>
void ExpectTheSameInUnitsOfTwo(const Prune& prune) {
  for (const float of_weights : {1.0f, 0x1p66f, 0x1p-60f}) {
    for (const float of_inputs : {1.0f, 0x1p70f, 0x1p-70f}) {
      SCOPED_TRACE(::testing::Message() << of_weights << ", " << of_inputs);
      LayerToPrune layer(12, 24, 200, 9);
      Tensor expected = prune(layer).weight;
      layer.Scale(of_inputs);
      for (int64_t i = 0; i < layer.weight.numel(); ++i) {
        layer.weight.mutable_data<float>()[i] *= of_weights;
        expected.mutable_data<float>()[i] *= of_weights;
      }
      ExpectBitEqual(prune(layer).weight, expected);
    }
  }
}

}  // namespace twofour::test
