// Which kernels are chosen for bf16 on processors that this machine need not have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "twofour/core/isa_choice.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include "tests/support/scoped_env.h"

namespace twofour::sparse {
namespace {

using internal::IsaChoice;
using internal::ScopedIsaChoice;
using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kOnAmx = "skipping zeros saves nothing on AMX";
constexpr const char* kPairsAreSlow = "pairs of bf16 are slower than floats";

const std::vector<Isa> kUpToPairs = {Isa::kAvx512Bf16, Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kPortable};

const IsaChoice kAmd = {.allowed = kUpToPairs, .bf16_pairs_pay = true};
const IsaChoice kIntel = {.allowed = kUpToPairs, .bf16_pairs_pay = false};
const IsaChoice kIntelWithAmx = {
    .allowed = {Isa::kAmxBf16, Isa::kAvx512Bf16, Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kPortable},
    .bf16_pairs_pay = false};

LinearProblem Problem(DType activation, int64_t batch = 2048) {
  return {.out_features = 3072, .in_features = 768, .batch = batch, .input = activation, .output = activation};
}

/// Whether the build has kernels for AVX-512, as ordinary builds for x86-64 have.
bool HasRowsForAvx512() {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.isa == Isa::kAvx512) return true;
  }
  return false;
}

class ProcessorChoiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasRowsForAvx512()) GTEST_SKIP() << "this build has no kernels for AVX-512";
  }

  const ScopedEnv no_kernel_is_forced_{"TWOFOUR_KERNEL", std::nullopt};
};

TEST_F(ProcessorChoiceTest, PairsAreChosenWhereTheyPay) {
  const ScopedIsaChoice scoped(kAmd);
  EXPECT_EQ(ChooseLinearKernel(Problem(DType::kBF16)).kernel->name, "pair_bucket_avx512bf16");
  EXPECT_EQ(ExplainLinearKernel(Problem(DType::kBF16)), "the fastest at this size");
}

TEST_F(ProcessorChoiceTest, OnIntelTheKernelThatComputesInF32IsChosen) {
  const ScopedIsaChoice scoped(kIntel);
  EXPECT_EQ(ChooseLinearKernel(Problem(DType::kBF16)).kernel->name, "pair_bucket_bf16_avx512");
  EXPECT_THAT(ExplainLinearKernel(Problem(DType::kBF16)),
              AllOf(HasSubstr("pair_bucket_avx512bf16: "), HasSubstr(kPairsAreSlow), Not(HasSubstr(kOnAmx))));
  const FusedMlpKernel* const fused = ChooseFusedMlpKernel({3072, 768}, {768, 3072}, 2048, DType::kBF16);
  ASSERT_NE(fused, nullptr);
  EXPECT_EQ(fused->linear->name, "pair_bucket_bf16_avx512");
}

TEST_F(ProcessorChoiceTest, OnAmxProductsOfBf16AreDense) {
  const ScopedIsaChoice scoped(kIntelWithAmx);
  for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
    LinearProblem problem = Problem(DType::kBF16);
    problem.direction = direction;
    const LinearPlan plan = ChooseLinearKernel(problem);
    EXPECT_EQ(plan.kernel->name, "masked_dense_bf16");
    EXPECT_FALSE(plan.widened);
    EXPECT_THAT(ExplainLinearKernel(problem),
                AllOf(HasSubstr("pair_bucket_avx512bf16"), HasSubstr("pair_bucket_bf16_avx512"), HasSubstr(kOnAmx)));
  }
  std::string why_not;
  EXPECT_EQ(ChooseFusedMlpKernel({3072, 768}, {768, 3072}, 2048, DType::kBF16, &why_not), nullptr);
  EXPECT_THAT(why_not, AllOf(HasSubstr("masked_dense_bf16"), HasSubstr(kOnAmx)));
}

TEST_F(ProcessorChoiceTest, OnAmxTheKernelForVnmMustBeForced) {
  const ScopedIsaChoice scoped(kIntelWithAmx);
  LinearProblem problem = Problem(DType::kBF16);
  problem.format = MaskFormat::Vnm({.v = 64, .m = 8});
  EXPECT_EQ(ChooseLinearKernel(problem).kernel->name, "masked_dense_bf16");
  EXPECT_THAT(ExplainLinearKernel(problem),
              AllOf(HasSubstr("vnm_amx: its speed was not measured yet, TWOFOUR_KERNEL=vnm_amx forces it"),
                    HasSubstr("vnm_avx512bf16"), HasSubstr(kOnAmx)));
  problem.format = MaskFormat::Vnm({.v = 16, .m = 8});
  EXPECT_THAT(ExplainLinearKernel(problem),
              HasSubstr("vnm_amx: pays with blocks of 64 rows and more, in multiples of 16, here 16"));
  EXPECT_THAT(ExplainLinearKernel(Problem(DType::kBF16)), Not(HasSubstr("vnm_amx"))) << "for a 2:4 weight";

  const ScopedEnv env("TWOFOUR_KERNEL", "vnm_amx");
  const LinearPlan plan = ChooseLinearKernel(problem);
  EXPECT_EQ(plan.kernel->name, "vnm_amx");
  EXPECT_TRUE(plan.forced);
  std::string why_not;
  EXPECT_EQ(ChooseFusedMlpKernel({3072, 768}, {768, 3072}, 2048, DType::kBF16, &why_not, problem.format), nullptr);
  EXPECT_THAT(why_not, HasSubstr("vnm_amx"));
}

TEST_F(ProcessorChoiceTest, OnAmxProductsOfF32AreWhatTheyAreWithoutIt) {
  for (const int64_t batch : {1, 64, 256, 2048}) {
    const LinearProblem problem = Problem(DType::kF32, batch);
    const auto choose = [&](const IsaChoice& choice) {
      const ScopedIsaChoice scoped(choice);
      return ChooseLinearKernel(problem).kernel->name + ": " + ExplainLinearKernel(problem);
    };
    EXPECT_EQ(choose(kIntelWithAmx), choose(kAmd));
    EXPECT_EQ(choose(kIntel), choose(kAmd));
  }
}

TEST_F(ProcessorChoiceTest, FewRowsAreTheReasonThatCountsFirst) {
  for (const IsaChoice& choice : {kIntel, kIntelWithAmx}) {
    const ScopedIsaChoice scoped(choice);
    EXPECT_EQ(ChooseLinearKernel(Problem(DType::kBF16, 8)).kernel->name, "masked_dense_bf16");
    EXPECT_THAT(ExplainLinearKernel(Problem(DType::kBF16, 8)),
                AllOf(HasSubstr("batch rows"), Not(HasSubstr(kOnAmx)), Not(HasSubstr(kPairsAreSlow))));
  }
}

TEST_F(ProcessorChoiceTest, WherePairsPayNoKernelOfFloatsIsChosen) {
  const ScopedIsaChoice scoped(kAmd);
  for (const int64_t batch : {96, 100, 128, 175}) {
    LinearProblem problem = Problem(DType::kBF16, batch);
    problem.out_features = problem.in_features = 128;  // So small that few rows pay for packing.
    EXPECT_EQ(ChooseLinearKernel(problem).kernel->name, "masked_dense_bf16") << batch;
  }
  EXPECT_EQ(ChooseLinearKernel(Problem(DType::kBF16, 176)).kernel->name, "pair_bucket_avx512bf16");
}

TEST_F(ProcessorChoiceTest, KernelsThatAreNotChosenCanBeForced) {
  for (const IsaChoice& choice : {kIntel, kIntelWithAmx}) {
    const ScopedIsaChoice scoped(choice);
    for (const char* name : {"pair_bucket_avx512bf16", "pair_bucket_bf16_avx512"}) {
      const ScopedEnv env("TWOFOUR_KERNEL", name);
      const LinearPlan plan = ChooseLinearKernel(Problem(DType::kBF16));
      EXPECT_EQ(plan.kernel->name, name);
      EXPECT_TRUE(plan.forced);
      const FusedMlpKernel* const fused = ChooseFusedMlpKernel({3072, 768}, {768, 3072}, 2048, DType::kBF16);
      ASSERT_NE(fused, nullptr);
      EXPECT_EQ(fused->linear->name, name);
    }
  }
  IsaChoice without_pairs = kIntel;
  without_pairs.allowed.erase(without_pairs.allowed.begin());
  const ScopedIsaChoice scoped(without_pairs);
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.isa == Isa::kAvx512Bf16) {
      EXPECT_EQ(Check(kernel, Problem(DType::kBF16)).rejection, Rejection::kIsa);
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
