#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/sparse/kernels/linear/linear_products.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {

/// Tests of a kernel that is made for V:N:M weights, where its instructions are at hand.
class VnmKernelTestBase : public ::testing::TestWithParam<LinearKernel> {
 protected:
  void SetUp() override {
    if (const std::string why_not = WhyNotHere(GetParam().isa); !why_not.empty()) GTEST_SKIP() << why_not;
  }

  /// Products in both directions with a random weight [rows, cols].
  void ExpectMultiplies(int64_t rows, int64_t cols, const VnmPattern& pattern, int64_t batch) {
    SCOPED_TRACE(pattern.ToString());
    const Tensor weight = test::RandomF32({rows, cols}, {.seed = 1, .stream = static_cast<uint32_t>(pattern.m)});
    const Mask mask = FindVnmMask(weight, pattern);
    ExpectIsProduct(GetParam(), weight, mask, Direction::kForward, test::RandomF32({batch, cols}, {.seed = 2}), {},
                    pattern);
    ExpectIsProduct(GetParam(), weight, mask, Direction::kInputGrad, test::RandomF32({batch, rows}, {.seed = 3}), {},
                    pattern);
  }

  /// The same bits in both directions for one thread and for more.
  void ExpectSameForAnyThreads(int64_t rows, int64_t cols, const VnmPattern& pattern, int64_t batch) {
    const Tensor weight = test::RandomF32({rows, cols}, {.seed = 8});
    const Mask mask = FindVnmMask(weight, pattern);
    const Tensor x = test::RandomF32({batch, cols}, {.seed = 9}), dy = test::RandomF32({batch, rows}, {.seed = 10});
    const auto multiply = [&](Direction direction, const Tensor& in) {
      return Multiply(GetParam(), weight, mask, direction, in, {}, pattern);
    };
    const test::ScopedNumThreads one(1);
    const Tensor y = multiply(Direction::kForward, x), dx = multiply(Direction::kInputGrad, dy);
    for (const int threads : {2, 3}) {
      const test::ScopedNumThreads more(threads);
      test::ExpectBitEqual(multiply(Direction::kForward, x), y);
      test::ExpectBitEqual(multiply(Direction::kInputGrad, dy), dx);
    }
  }
};

}  // namespace twofour::sparse
