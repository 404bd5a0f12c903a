// Which kernel of the table is taken for a problem, and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"

#include "tests/support/scoped_env.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

LinearProblem ProblemOf(DType activation, int64_t out, int64_t in, int64_t batch) {
  return {.out_features = out, .in_features = in, .batch = batch, .input = activation, .output = activation};
}

TEST(LinearKernelsTest, NamesDifferAndTheReferenceIsLast) {
  std::vector<std::string_view> names;
  for (const LinearKernel& kernel : LinearKernels()) names.push_back(kernel.name);
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.back(), "scalar_reference");
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(ChooseLinearKernelTest, TakesTheFirstThatCanAndIsNotSlower) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (const DType activation : {DType::kF32, DType::kBF16}) {
    for (const auto& [out, in, batch] :
         std::vector<std::array<int64_t, 3>>{{64, 64, 32}, {4, 4, 1}, {12, 100, 0}, {768, 768, 2048}, {5, 9, 7}}) {
      const LinearProblem problem = ProblemOf(activation, out, in, batch);
      const auto table = LinearKernels();
      const auto first = std::find_if(table.begin(), table.end(),
                                      [&](const LinearKernel& kernel) { return Check(kernel, problem).is_best(); });
      ASSERT_NE(first, table.end());
      const LinearPlan plan = ChooseLinearKernel(problem);
      EXPECT_EQ(plan.kernel, &*first);
      EXPECT_EQ(plan.kernel->activation, activation);
      EXPECT_FALSE(plan.forced);
      EXPECT_FALSE(plan.widened);
      EXPECT_THAT(ExplainLinearKernel(problem), Not(IsEmpty()));
    }
  }
}

TEST(ChooseLinearKernelTest, NeverTakesAnEmulation) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.check(ProblemOf(kernel.activation, 768, 768, 2048)).rejection != Rejection::kEmulated) continue;
    for (const int64_t batch : {1, 2048}) {
      const LinearPlan plan = ChooseLinearKernel(ProblemOf(kernel.activation, 768, 768, batch));
      EXPECT_NE(plan.kernel->name, kernel.name);
    }
  }
}

TEST(LinearKernelsTest, PairBucketsPayFromSomeBatchOnAndLaterForLargerWeights) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.family != "pair_bucket") continue;
    SCOPED_TRACE(kernel.name);
    int64_t fewest_of_smaller = 1;
    for (const int64_t width : {4, 128, 256, 512, 768, 4096}) {
      const auto pays = [&](int64_t batch) { return kernel.check({4 * width, width, batch}).is_best(); };
      int64_t fewest = 1;
      while (!pays(fewest)) ++fewest;
      EXPECT_GE(fewest, fewest_of_smaller) << "for width " << width;
      for (int64_t batch = fewest; batch < 4 * fewest; ++batch) EXPECT_TRUE(pays(batch)) << width << ", " << batch;
      EXPECT_EQ(kernel.check({width, 4 * width, fewest - 1}).bound, kernel.check({4 * width, width, fewest - 1}).bound);
      fewest_of_smaller = fewest;
    }
    EXPECT_GT(fewest_of_smaller, 1);
    // configs/sparse_mlp.pbtxt, where they were faster on every instruction set.
    EXPECT_TRUE(kernel.check({512, 128, 128}).is_best());
  }
}

// Runs once more for each lesser instruction set: see CMakeLists.txt.
TEST(ChooseLinearKernelTest, NoInstructionSetIsPassedOverWithinAFamily) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const auto best_of_family = [](std::string_view family) {
    const auto table = LinearKernels();
    return std::find_if(table.begin(), table.end(), [family](const LinearKernel& kernel) {
      return kernel.family == family && WhyNotHere(kernel.isa).empty();
    });
  };
  for (const int64_t out : {4, 128, 768, 3072}) {
    for (const int64_t in : {4, 128, 768, 3072}) {
      for (const int64_t batch : {1, 2, 8, 24, 25, 32, 63, 64, 65, 96, 127, 128, 200, 256, 257, 512, 4096}) {
        for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
          for (const MaskFormat& format : {MaskFormat::TwoOfFour(), MaskFormat::Unstructured()}) {
            for (const DType activation : {DType::kF32, DType::kBF16}) {
              const LinearProblem problem{out, in, batch, direction, format, DType::kF32, activation, activation};
              const LinearKernel& chosen = *ChooseLinearKernel(problem).kernel;
              EXPECT_EQ(chosen.name, best_of_family(chosen.family)->name)
                  << "for [" << out << ", " << in << "] and " << batch << " rows of " << NameOf(activation);
            }
          }
        }
      }
    }
  }
}

TEST(LinearKernelsTest, AFamilyStandsTogetherBestInstructionSetFirst) {
  std::vector<std::string_view> families;
  Isa last = Isa::kAny;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (families.empty() || families.back() != kernel.family) {
      EXPECT_EQ(std::count(families.begin(), families.end(), kernel.family), 0) << kernel.family;
      families.push_back(kernel.family);
    } else {
      EXPECT_LT(kernel.isa, last) << kernel.name;
    }
    last = kernel.isa;
  }
}

TEST(ForcedLinearKernelTest, HeedsNamesOfItsOwnTableOnly) {
  for (const MaskSearchKernel& search : MaskSearchKernels()) {
    const ScopedEnv env("TWOFOUR_KERNEL", search.name);
    EXPECT_EQ(ForcedLinearKernel(), nullptr);
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "exact_scalar,masked_dense");
  ASSERT_NE(ForcedLinearKernel(), nullptr);
  EXPECT_EQ(ForcedLinearKernel()->name, "masked_dense");
}

TEST(ChooseLinearKernelTest, ListsAllRejectionsWhereNoneCan) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  std::string_view family;
  for (const LinearKernel& kernel : LinearKernels()) {
    // Only the best kernel of each family is listed.
    if (!WhyNotHere(kernel.isa).empty() || kernel.family == std::exchange(family, kernel.family)) continue;
    if (kernel.activation != DType::kF32) continue;  // Nor is a kernel for activations of 16 bits, ...
    if (kernel.family.starts_with("vnm")) continue;  // ... or for another pattern.
    EXPECT_THAT([] { ChooseLinearKernel({.out_features = 8, .in_features = 12, .batch = 4, .weight = DType::kF64}); },
                ThrowsMessage<Error>(AllOf(HasSubstr("[8, 12]"), HasSubstr(std::string(kernel.name)))));
  }
}

}  // namespace
}  // namespace twofour::sparse
