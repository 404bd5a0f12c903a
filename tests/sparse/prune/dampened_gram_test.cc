#include "twofour/sparse/prune/dampened_gram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F64;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(DampenedGramTest, AddsAShareOfTheMean) {
  const DampenedGram gram = FactorDampened(F64({3, 1, 1, 5}, {2, 2}), 0.25, "fc");
  ExpectBitEqual(gram.matrix, F64({4, 1, 1, 6}, {2, 2}));
  EXPECT_EQ(gram.dampening, 0.25);
  EXPECT_THAT(gram.notes, IsEmpty());
}

TEST(DampenedGramTest, DeadFeaturesAreLikeTheMeanOfTheOthers) {
  const DampenedGram gram = FactorDampened(F64({300, 0, 100, 0, 0, 0, 100, 0, 500}, {3, 3}), 0.25, "fc");
  ExpectBitEqual(gram.matrix, F64({400, 0, 100, 0, 500, 0, 100, 0, 600}, {3, 3}));
  EXPECT_THAT(gram.dead, ElementsAre(false, true, false));
  EXPECT_THAT(gram.notes, ElementsAre("fc: 1 of its 3 input features is always 0 in the calibration data; its weights "
                                      "count for nothing"));
  const DampenedGram all = FactorDampened(Tensor::Zeros({2, 2}, DType::kF64), 0, "fc");
  ExpectBitEqual(all.matrix, F64({1, 0, 0, 1}, {2, 2}));
  EXPECT_THAT(all.notes, ElementsAre("fc: 2 of its 2 input features are always 0 in the calibration data; their "
                                     "weights count for nothing"));
}

TEST(DampenedGramTest, RefusesWhatIsNoGramMatrix) {
  EXPECT_ERROR(FactorDampened(F64({1, 2}, {1, 2}), 0, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: a Gram matrix of shape [1, 2]"));
  for (const double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_ERROR(FactorDampened(F64({1, 0, bad, 1}, {2, 2}), 0, "fc"), ErrorKind::kRuntimeFailure,
                 HasSubstr("fc: element [1, 0] of its inputs' Gram matrix is "));
  }
  EXPECT_ERROR(FactorDampened(F64({1, 0, 0, -2}, {2, 2}), 0, "fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: the inputs' Gram matrix cannot be factored with any dampening from 0 to 1000"));
}

TEST(DampenedGramTest, TakesADampeningUpToTheMost) {
  const Tensor gram = F64({1, 0, 0, 1}, {2, 2});
  EXPECT_EQ(FactorDampened(gram, kMostDampening, "fc").dampening, kMostDampening);
  for (const double bad : {-0.1, 1000.5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_ERROR(FactorDampened(gram, bad, "fc"), ErrorKind::kInvalidInput, HasSubstr("expected 0 to 1000"));
  }
}

}  // namespace
}  // namespace twofour::sparse
