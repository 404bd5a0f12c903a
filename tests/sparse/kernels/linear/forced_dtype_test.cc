// Kernels named by TWOFOUR_KERNEL for activations of another dtype than theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include "tests/support/scoped_env.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

// These run on every processor.
constexpr const char* kLinear = "pair_bucket_emulated_bf16";
constexpr const char* kMlp = "fused_mlp_emulated_bf16";

LinearProblem ProblemOf(DType activation, int64_t batch = 200, MaskFormat format = MaskFormat::TwoOfFour()) {
  return {.out_features = 64,
          .in_features = 32,
          .batch = batch,
          .format = format,
          .input = activation,
          .output = activation};
}

TEST(ForcedDTypeTest, AKernelForBf16DoesNotTakeF32) {
  const ScopedEnv env("TWOFOUR_KERNEL", kLinear);
  EXPECT_EQ(ChooseLinearKernel(ProblemOf(DType::kBF16)).kernel->name, kLinear);
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    EXPECT_THAT([&] { ChooseLinearKernel(ProblemOf(dtype)); },
                ThrowsMessage<Error>(AllOf(HasSubstr(std::string("TWOFOUR_KERNEL=") + kLinear),
                                           HasSubstr("multiplies bf16 with f32 to bf16"),
                                           HasSubstr("here " + std::string(NameOf(dtype)) + " with f32"))));
  }
}

TEST(ForcedDTypeTest, AKernelForBf16SaysWhyItRefusesAMask) {
  const ScopedEnv env("TWOFOUR_KERNEL", kLinear);
  EXPECT_THAT([] { ChooseLinearKernel(ProblemOf(DType::kBF16, 200, MaskFormat::Unstructured())); },
              ThrowsMessage<Error>(AllOf(HasSubstr("keeps more than two of four"), Not(HasSubstr("multiplies bf16")))));
}

TEST(ForcedDTypeTest, AKernelForF32IsTakenWithWideActivations) {
  const ScopedEnv env("TWOFOUR_KERNEL", "masked_dense");
  const LinearPlan plan = ChooseLinearKernel(ProblemOf(DType::kBF16));
  EXPECT_EQ(plan.kernel->name, "masked_dense");
  EXPECT_TRUE(plan.forced);
  EXPECT_TRUE(plan.widened);
  EXPECT_EQ(ExplainLinearKernel(ProblemOf(DType::kBF16)),
            "forced by TWOFOUR_KERNEL; it takes f32, to which bf16 is widened");
}

TEST(ForcedDTypeTest, AnMlpKernelForBf16DoesNotTakeF32) {
  const ScopedEnv env("TWOFOUR_KERNEL", kMlp);
  const FusedMlpKernel* const forced = ChooseFusedMlpKernel({32, 16}, {8, 32}, 30, DType::kBF16);
  ASSERT_NE(forced, nullptr);
  EXPECT_EQ(forced->name, kMlp);
  EXPECT_THAT(
      [] {
        ChooseFusedMlpKernel({32, 16}, {8, 32}, 30);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr(std::string("TWOFOUR_KERNEL=") + kMlp),
                                 HasSubstr("multiplies bf16 with f32 to bf16, here f32 with f32 to f32"))));
}

TEST(ExplainLinearKernelTest, SaysNothingOfKernelsForOtherActivationsOrForTests) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (const int64_t batch : {1, 100, 4000}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const LinearProblem& problem :
           {ProblemOf(dtype, batch), ProblemOf(dtype, batch, MaskFormat::Unstructured())}) {
        EXPECT_THAT(ExplainLinearKernel(problem), AllOf(Not(HasSubstr("emulat")), Not(HasSubstr("multiplies"))));
      }
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
