#include "twofour/sparse/kernels/forced_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/linear_kernel.h"
#include "twofour/sparse/kernels/mask_search.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ForcedKernelNameTest, NothingIsForcedByDefault) {
  {
    const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
    EXPECT_EQ(ForcedKernelName(), "");
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "");
  EXPECT_EQ(ForcedKernelName(), "");
}

TEST(ForcedKernelNameTest, EveryNameOfATableIsKnown) {
  for (const LinearKernel& kernel : LinearKernels()) {
    const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.name));
    EXPECT_EQ(ForcedKernelName(), kernel.name);
  }
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) {
    const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.name));
    EXPECT_EQ(ForcedKernelName(), kernel.name);
  }
}

TEST(ForcedKernelNameTest, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  const ScopedEnv env("TWOFOUR_KERNEL", "scalar");
  for (const LinearKernel& kernel : LinearKernels()) {
    EXPECT_THAT([] { ForcedKernelName(); },
                ThrowsMessage<Error>(AllOf(HasSubstr("TWOFOUR_KERNEL=scalar:"), HasSubstr(std::string(kernel.name)))));
  }
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) {
    EXPECT_THAT([] { ForcedKernelName(); }, ThrowsMessage<Error>(HasSubstr(std::string(kernel.name))));
  }
  EXPECT_THROW(ChooseLinearKernel({8, 8, 1}), Error);
  EXPECT_THROW(ChooseMaskSearchKernel(MaskAlgorithm::kExact), Error);
  EXPECT_THROW(FindMask(test::RandomF32({4, 4}, {}), MaskAlgorithm::kExact), Error);
}

TEST(ForcedKernelNameTest, ANameOfOneTableLeavesTheOtherAlone) {
  const MaskSearchKernel* const search = &ChooseMaskSearchKernel(MaskAlgorithm::kExact);
  const ScopedEnv env("TWOFOUR_KERNEL", "scalar_reference");
  EXPECT_EQ(&ChooseMaskSearchKernel(MaskAlgorithm::kExact), search);
  EXPECT_EQ(ChooseLinearKernel({64, 64, 32}).kernel->name, "scalar_reference");
}

}  // namespace
}  // namespace twofour::sparse
