// Which kernel computes an MLP as one op, and how.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"

#include "tests/support/scoped_env.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(FusedMlpShareTest, ListsPayForFewerActivationsBesideSparserWeights) {
  EXPECT_DOUBLE_EQ(FusedMlpKernel::ShareFor(MaskFormat::TwoOfFour(), 0.2), 0.2);
  const double quarter = FusedMlpKernel::ShareFor(MaskFormat::Vnm({.m = 8}), 0.2);
  const double eighth = FusedMlpKernel::ShareFor(MaskFormat::Vnm({.m = 16}), 0.2);
  EXPECT_LT(quarter, 0.2);
  EXPECT_LT(eighth, quarter);
  EXPECT_GT(eighth, 0.2 / 4);  // What is kept is not all that a product costs.
}

TEST(ChooseMlpKernelTest, TakesVnmWhereItsKernelIsTheChoice) {
  const MaskFormat format = MaskFormat::Vnm({.v = 16, .m = 8}), rows = MaskFormat::Vnm({.inner = VnmInner::kRows});
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    if (!WhyNotHere(kernel.linear->isa).empty()) continue;
    ASSERT_NE(kernel.vnm_linear, nullptr);
    const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.vnm_linear->name));
    const DType activation = kernel.linear->activation;
    EXPECT_EQ(ChooseFusedMlpKernel({512, 128}, {128, 512}, 200, activation, nullptr, format), &kernel);
    EXPECT_EQ(ChooseFusedMlpKernel({512, 128}, {128, 512}, 200, activation), nullptr) << "2:4 has its own";
  }
  EXPECT_TRUE(FitsFusedMlp(format));
  EXPECT_FALSE(FitsFusedMlp(rows));
  EXPECT_FALSE(FitsFusedMlp(MaskFormat::Unstructured()));
}

TEST(ChooseMlpKernelTest, FollowsTheChoiceOfTheFourProducts) {
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    if (!WhyNotHere(kernel.linear->isa).empty()) continue;
    const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.linear->name));
    const DType activation = kernel.linear->activation;
    EXPECT_EQ(ChooseFusedMlpKernel({512, 128}, {128, 512}, 30, activation), &kernel);
    EXPECT_EQ(ChooseFusedMlpKernel({32, 16}, {8, 32}, 30, activation), nullptr) << "how wide is another question";
  }
  std::string why_not;
  {
    const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
    EXPECT_NE(ChooseFusedMlpKernel({512, 128}, {128, 512}, 2048), nullptr);
    EXPECT_EQ(ChooseFusedMlpKernel({512, 124}, {128, 512}, 2048, DType::kF32, &why_not), nullptr);
    EXPECT_THAT(why_not, HasSubstr("128 features"));
    EXPECT_EQ(ChooseFusedMlpKernel({512, 128}, {128, 512}, 1, DType::kF32, &why_not), nullptr);
    EXPECT_THAT(why_not, HasSubstr("batch rows"));
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "masked_dense");
  EXPECT_EQ(ChooseFusedMlpKernel({512, 128}, {128, 512}, 30, DType::kF32, &why_not), nullptr);
  EXPECT_THAT(why_not, HasSubstr("masked_dense"));
}

TEST(ChooseMlpKernelTest, CanBeForcedByItsOwnName) {
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.name));
    const DType activation = kernel.linear->activation;
    if (!WhyNotHere(kernel.linear->isa).empty()) {
      EXPECT_THROW(ChooseFusedMlpKernel({32, 16}, {8, 32}, 30, activation), Error);
      continue;
    }
    EXPECT_EQ(ChooseFusedMlpKernel({32, 16}, {8, 32}, 30, activation), &kernel);
    EXPECT_THAT(
        [&] {
          ChooseFusedMlpKernel({32, 10}, {8, 32}, 30, activation);
        },
        ThrowsMessage<Error>(HasSubstr("[32, 10]")));
    // The name does not force a kernel for single products, which have another table.
    EXPECT_FALSE(ChooseLinearKernel({32, 16, 30}).forced);
  }
}

TEST(ChooseMlpKernelTest, NamesOfOtherTablesDoNotMatter) {
  for (const int64_t width : {16, 128}) {
    for (const int64_t batch : {1, 30, 200, 2048}) {
      const Shape fc = {4 * width, width}, proj = {width, 4 * width};
      std::string why_not, why_not_then;
      const FusedMlpKernel* expected;
      {
        const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
        expected = ChooseFusedMlpKernel(fc, proj, batch, DType::kF32, &why_not);
      }
      for (const MaskSearchKernel& search : MaskSearchKernels()) {
        const ScopedEnv env("TWOFOUR_KERNEL", search.name);
        EXPECT_EQ(ChooseFusedMlpKernel(fc, proj, batch, DType::kF32, &why_not_then), expected) << search.name;
        EXPECT_EQ(why_not_then, why_not);
      }
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
