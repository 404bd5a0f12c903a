#include "twofour/sparse/kernels/linear/forced_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/int8/int8_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"
#include "twofour/sparse/mask.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ForcedKernelsTest, NothingIsForcedByDefault) {
  {
    const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
    EXPECT_EQ(ForcedKernels(), "");
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "");
  EXPECT_EQ(ForcedKernels(), "");
}

TEST(ForcedKernelsTest, EveryNameOfATableIsKnown) {
  const auto expect_known = [](const auto& table) {
    ASSERT_FALSE(table.empty());
    for (const auto& kernel : table) {
      const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.name));
      EXPECT_EQ(ForcedKernels(), kernel.name);
    }
  };
  expect_known(LinearKernels());
  expect_known(MaskSearchKernels());
  expect_known(FusedMlpKernels());
  expect_known(Int8Kernels());
  expect_known(LowBitKernels());
}

TEST(ForcedKernelsTest, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  const ScopedEnv env("TWOFOUR_KERNEL", "scalar");
  for (const LinearKernel& kernel : LinearKernels()) {
    EXPECT_THAT([] { ForcedKernels(); },
                ThrowsMessage<Error>(AllOf(HasSubstr("TWOFOUR_KERNEL=scalar: no kernel 'scalar'"),
                                           HasSubstr(std::string(kernel.name)))));
  }
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) {
    EXPECT_THAT([] { ForcedKernels(); }, ThrowsMessage<Error>(HasSubstr(std::string(kernel.name))));
  }
  EXPECT_THROW(ChooseLinearKernel({8, 8, 1}), Error);
  EXPECT_THROW(ChooseMaskSearchKernel(MaskMethod::kExact), Error);
  EXPECT_THROW(FindMask(test::RandomF32({4, 4}, {}), MaskMethod::kExact), Error);
}

TEST(ForcedKernelsTest, AListForcesOneOfEachTable) {
  const ScopedEnv env("TWOFOUR_KERNEL", "scalar_reference,exact_scalar");
  EXPECT_EQ(ChooseLinearKernel({64, 64, 32}).kernel->name, "scalar_reference");
  EXPECT_EQ(ChooseMaskSearchKernel(MaskMethod::kExact).name, "exact_scalar");
  EXPECT_TRUE(IsForced("exact_scalar"));
  EXPECT_FALSE(IsForced("scalar"));
  const ScopedEnv broken("TWOFOUR_KERNEL", "scalar_reference,,exact_scalar");
  EXPECT_THROW(ForcedKernels(), Error);
}

TEST(ForcedKernelsTest, ANameOfOneTableLeavesTheOtherAlone) {
  const MaskSearchKernel* const search = &ChooseMaskSearchKernel(MaskMethod::kExact);
  const ScopedEnv env("TWOFOUR_KERNEL", "scalar_reference");
  EXPECT_EQ(&ChooseMaskSearchKernel(MaskMethod::kExact), search);
  EXPECT_EQ(ChooseLinearKernel({64, 64, 32}).kernel->name, "scalar_reference");
}

}  // namespace
}  // namespace twofour::sparse
