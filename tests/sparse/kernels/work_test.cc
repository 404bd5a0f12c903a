// How products are cut for many threads.
#include <gtest/gtest.h>

#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/fused_mlp/list_work.h"
#include "twofour/sparse/kernels/pair_bucket/panel_work.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

constexpr int kThreads = 64;
constexpr int64_t kTokens = 2048, kOut = 3072, kIn = 768;

TEST(WorkTest, EachOf64ThreadsFindsFourItemsOfAProductWithA2To4Weight) {
  const test::ScopedNumThreads scoped(kThreads);
  for (const int64_t panel : {24, 64}) {        // Of AVX2 and of AVX-512.
    for (const int64_t group : {4, 8}) {        // Strips that are written back together, of f32 and of bf16.
      for (const int64_t rows : {kOut, kIn}) {  // Forward and input gradient.
        const PanelWork work(rows / 4, kOut + kIn - rows, kTokens, panel, group);
        EXPECT_GE(work.items(), 4 * kThreads) << rows << " rows, panels of " << panel;
        EXPECT_EQ(work.strips % group, 0);
        EXPECT_GE(work.ranges * work.strips, rows / 4);
        EXPECT_LT((work.ranges - 1) * work.strips, rows / 4) << "an empty range";
      }
    }
  }
}

TEST(WorkTest, EachOf64ThreadsFindsFourItemsOfAProductOfLists) {
  const test::ScopedNumThreads scoped(kThreads);
  EXPECT_GE(ListWork(kOut, kTokens, kIn, 128).items(), 4 * kThreads);  // Weight gradients.
  EXPECT_GE(ListWork(kTokens, kOut, kIn, 128).items(), 4 * kThreads);  // Of the hidden activations with a weight.
}

TEST(WorkTest, FewThreadsKeepItemsLarge) {
  const test::ScopedNumThreads scoped(2);
  EXPECT_EQ(PanelWork(kOut / 4, kIn, kTokens, 64, 4).ranges, 1);
  EXPECT_EQ(ItemsForThreads(), 16);
}

TEST(WorkTest, NothingToDoIsNoItem) {
  EXPECT_EQ(PanelWork(0, 8, 100, 64, 4).items(), 0);
  EXPECT_EQ(PanelWork(8, 8, 0, 64, 4).items(), 0);
  EXPECT_EQ(ListWork(0, 8, 8, 128).items(), 0);
}

}  // namespace
}  // namespace twofour::sparse
