#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/sparse/allocation/allocation.h"
#include "twofour/sparse/budget_mask.h"

#include "tests/sparse/patterns.h"

namespace twofour::test {

/// `count` equal layers.
inline std::vector<sparse::LayerShape> EqualLayers(size_t count, int64_t rows, int64_t cols) {
  std::vector<sparse::LayerShape> layers;
  for (size_t i = 0; i < count; ++i) layers.push_back({.name = "fc" + std::to_string(i), .rows = rows, .cols = cols});
  return layers;
}

/// "unstructured:0.5 2:4 dense"
inline std::string PatternsOf(const sparse::Allocation& allocation) {
  std::string text;
  for (const sparse::LayerAllocation& layer : allocation.layers) {
    text += (text.empty() ? "" : " ") + (layer.pattern ? layer.pattern->ToString() : "dense");
  }
  return text;
}

inline double SparsityOf(const sparse::LayerAllocation& layer) { return layer.pattern ? layer.pattern->Sparsity() : 0; }

// The steps of a layer, counted apart from the library.

inline double EntriesOf(const sparse::LayerShape& layer) { return static_cast<double>(layer.rows * layer.cols); }

/// Of a pattern with a budget: into how many parts of which it drops some.
inline int64_t PartsOf(const sparse::LayerShape& layer, const sparse::PruningPattern& pattern) {
  if (pattern.format.kind == sparse::MaskFormat::Kind::kBlocks) {
    int64_t blocks = 0;
    for (int64_t row = 0; row < layer.rows; row += pattern.format.block_rows) {
      for (int64_t col = 0; col < layer.cols; col += pattern.format.block_cols) ++blocks;
    }
    return blocks;
  }
  return pattern.scope == sparse::PruningScope::kRow ? layer.cols : layer.rows * layer.cols;
}

/// What n:m drops of the layer, group by group.
inline double DroppedBy(const sparse::LayerShape& layer, int n, int m) {
  int64_t dropped = 0;
  for (int64_t col = 0; col < layer.cols; col += m) {
    dropped += layer.rows * std::max<int64_t>(0, std::min<int64_t>(m, layer.cols - col) - n);
  }
  return static_cast<double>(dropped);
}

/// The most entries of a step.
inline double StepOf(const sparse::LayerShape& layer, const sparse::PruningPattern& pattern) {
  if (pattern.has_budget()) return EntriesOf(layer) / static_cast<double>(PartsOf(layer, pattern));
  double most = 0;
  for (int n = 1; n < pattern.format.m; ++n) {
    most = std::max(most, DroppedBy(layer, n, pattern.format.m) - DroppedBy(layer, n + 1, pattern.format.m));
  }
  return most;
}

/// The sparsity of a step.
inline double UnitOf(const sparse::LayerShape& layer, const sparse::PruningPattern& pattern) {
  return 1.0 / static_cast<double>(pattern.has_budget() ? PartsOf(layer, pattern) : pattern.format.m);
}

/// Layers and options by which their target can be met.
struct RandomProblem {
  std::vector<sparse::LayerShape> layers;
  sparse::AllocationOptions options;
};

inline RandomProblem MakeRandomProblem(RandomSequence& random) {
  const char* const patterns[] = {"unstructured:0.5", "unstructured:0.5:row", "block:4x8:0.5", "2:4", "4:8", "3:7"};
  RandomProblem problem{.layers = {}, .options = {.pattern = PatternOf(patterns[random.Below(6)])}};
  sparse::AllocationOptions& options = problem.options;
  const uint32_t count = 1 + random.Below(12), most_rows = 1 + random.Below(40), most_cols = 1 + random.Below(70);
  for (uint32_t i = 0; i < count; ++i) {
    problem.layers.push_back(
        {.name = "fc" + std::to_string(i), .rows = 1 + random.Below(most_rows), .cols = 1 + random.Below(most_cols)});
  }
  const auto two = [&](double a, double b) {
    options.min = std::min(a, b);
    options.max = std::max(a, b);
  };
  double dropped = 0, entries = 0;
  if (options.pattern.has_budget()) {
    two(random.Uniform(), random.Uniform());
    if (random.Below(4) == 0) options.min = 0;
    if (random.Below(4) == 0) options.max = 1;
    for (const sparse::LayerShape& layer : problem.layers) {
      const double most = 1 - UnitOf(layer, options.pattern);
      const double part = random.Below(8) == 0 ? 1 : random.Uniform();
      dropped += std::min(most, std::lerp(options.min, options.max, part)) * EntriesOf(layer);
      entries += EntriesOf(layer);
    }
    options.pattern.sparsity = dropped / entries;
  } else {
    const uint32_t m = static_cast<uint32_t>(options.pattern.format.m);
    const uint32_t a = random.Below(m), b = random.Below(m), low = std::min(a, b), high = std::max(a, b);
    two(static_cast<double>(low) / m, static_cast<double>(high) / m);
    for (const sparse::LayerShape& layer : problem.layers) {
      const int n = static_cast<int>(m - low - random.Below(high - low + 1));
      dropped += DroppedBy(layer, n, static_cast<int>(m));
      entries += EntriesOf(layer);
    }
    options.target = dropped / entries;
  }
  return problem;
}

/// That every layer is within its bounds and all together meet the target, each to a step, and that patterns drop what
/// the allocation says.
inline void ExpectSound(const RandomProblem& problem, const sparse::Allocation& allocation) {
  const auto& [layers, options] = problem;
  ASSERT_EQ(allocation.layers.size(), layers.size());
  double dropped = 0, entries = 0, step = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const sparse::LayerAllocation& layer = allocation.layers[i];
    const double sparsity = SparsityOf(layer), unit = UnitOf(layers[i], options.pattern);
    const bool budget = options.pattern.has_budget();
    EXPECT_LT(sparsity, 1);
    EXPECT_LT(sparsity, options.max + (budget ? unit : 0) + 1e-9);
    EXPECT_GT(sparsity, std::min(options.min, 1 - unit) - (budget ? unit : 0) - 1e-9);
    if (layer.pattern) {
      EXPECT_EQ(layer.pattern->scope, options.pattern.scope);
      EXPECT_EQ(layer.pattern->format.kind, options.pattern.format.kind);
      EXPECT_EQ(layer.pattern->format.m, options.pattern.format.m);
    }
    if (budget) {
      const int64_t parts = sparse::CountDropped(sparsity, PartsOf(layers[i], options.pattern));
      EXPECT_NEAR(layer.dropped, static_cast<double>(parts) * StepOf(layers[i], options.pattern), 1e-6);
    } else {
      const int m = options.pattern.format.m;
      EXPECT_EQ(layer.dropped, layer.pattern ? DroppedBy(layers[i], layer.pattern->format.n, m) : 0);
    }
    dropped += layer.dropped;
    entries += EntriesOf(layers[i]);
    step = std::max(step, StepOf(layers[i], options.pattern));
  }
  EXPECT_NEAR(dropped, options.Target() * entries, step / 2 + 1e-3 * step);
  EXPECT_NEAR(allocation.sparsity, dropped / entries, 1e-12);
}

}  // namespace twofour::test
