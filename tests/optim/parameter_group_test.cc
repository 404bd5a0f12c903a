#include "twofour/optim/parameter_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/optim/state_dicts.h"
#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::F32;
using test::NamesOf;
using ::testing::ElementsAre;

TEST(NumberParametersTest, NamesAreIndices) {
  EXPECT_THAT(NamesOf(NumberParameters({F32({1}, {1}), F32({2}, {1})})), ElementsAre("0", "1"));
}

TEST(DecayMatricesOnlyTest, SplitsByRank) {
  const auto groups = DecayMatricesOnly({{"a.weight", Tensor::Zeros({2, 2})},
                                         {"a.bias", Tensor::Zeros({2})},
                                         {"scale", Tensor::Zeros({})},
                                         {"conv.weight", Tensor::Zeros({2, 2, 2})}},
                                        0.1);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_THAT(NamesOf(groups[0].parameters), ElementsAre("a.weight", "conv.weight"));
  EXPECT_EQ(groups[0].weight_decay, 0.1);
  EXPECT_THAT(NamesOf(groups[1].parameters), ElementsAre("a.bias", "scale"));
  EXPECT_EQ(groups[1].weight_decay, 0.0);
}

}  // namespace
}  // namespace twofour::optim
