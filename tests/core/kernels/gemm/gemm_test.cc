#include "twofour/core/kernels/gemm/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ForAllForms;
using test::kTransposes;
using test::Product;
using test::ScopedNumThreads;
using Size = test::ProductSize;

template <typename T>
void Multiply(const GemmProblem<T>& problem) {
  Gemm(problem);
}

template <typename T>
class GemmTest : public ::testing::Test {
 protected:
  static constexpr double kRounding = std::numeric_limits<T>::epsilon();
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GemmTest, Types);

TYPED_TEST(GemmTest, MatchesThreeLoops) {
  for (const Size& size : std::vector<Size>{{1, 1, 1},
                                            {1, 7, 3},
                                            {7, 1, 3},
                                            {5, 3, 1},
                                            {2, 3, 4},
                                            {13, 17, 19},
                                            {31, 64, 33},
                                            {1, 100, 100},
                                            {100, 1, 100},
                                            {16, 16, 128}}) {
    ForAllForms<TypeParam>(size, [&](Product<TypeParam>& product) {
      product.Compute(Multiply<TypeParam>);
      product.ExpectRight(this->kRounding);
    });
  }
}

TYPED_TEST(GemmTest, MatchesThreeLoopsAcrossBlocks) {
  // One more and one fewer than a block of C holds, and several blocks in either direction.
  for (const Size& size : std::vector<Size>{{257, 513, 3}, {255, 511, 5}, {256, 512, 2}, {530, 3, 7}, {3, 1030, 7}}) {
    ForAllForms<TypeParam>(size, [&](Product<TypeParam>& product) {
      product.Compute(Multiply<TypeParam>);
      product.ExpectRight(this->kRounding);
    });
  }
}

TYPED_TEST(GemmTest, EmptySizes) {
  for (const Size& size : std::vector<Size>{{0, 0, 0}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}, {300, 600, 0}}) {
    ForAllForms<TypeParam>(size, [&](Product<TypeParam>& product) {
      product.Compute(Multiply<TypeParam>);
      product.ExpectRight(0.0);
    });
  }
}

TYPED_TEST(GemmTest, EmptyOperandsMayBeNull) {
  // There is more than one block, so that offsets are added to the operands.
  std::vector<TypeParam> c(300 * 600, 1);
  for (const Transpose ta : kTransposes) {
    for (const Transpose tb : kTransposes) {
      std::fill(c.begin(), c.end(), TypeParam{1});
      Gemm<TypeParam, TypeParam, TypeParam>(ta, tb, 300, 600, 0, nullptr, nullptr, c.data());
      EXPECT_THAT(c, ::testing::Each(TypeParam{0}));
    }
  }
}

TYPED_TEST(GemmTest, ContiguousForm) {
  // op(A) = [[1, 2, 3], [4, 5, 6]], op(B) = [[1, -1], [0, 2], [3, 0]], each stored both ways.
  const std::vector<TypeParam> a = {1, 2, 3, 4, 5, 6}, a_turned = {1, 4, 2, 5, 3, 6};
  const std::vector<TypeParam> b = {1, -1, 0, 2, 3, 0}, b_turned = {1, 0, 3, -1, 2, 0};
  for (const Transpose ta : kTransposes) {
    for (const Transpose tb : kTransposes) {
      std::vector<TypeParam> c(4);
      Gemm(ta, tb, 2, 2, 3, (ta == Transpose::kNo ? a : a_turned).data(), (tb == Transpose::kNo ? b : b_turned).data(),
           c.data());
      EXPECT_THAT(c, ::testing::ElementsAre(10, 3, 22, 6));
    }
  }
}

TYPED_TEST(GemmTest, SameBitsForAnyNumberOfThreads) {
  for (const Size& size : std::vector<Size>{{300, 1100, 37}, {1, 1500, 100}, {700, 1, 400}, {300, 530, 65}}) {
    ForAllForms<TypeParam>(size, [](Product<TypeParam>& product) {
      std::vector<TypeParam> expected;
      for (const int threads : {1, 2, 3}) {
        const ScopedNumThreads scoped(threads);
        const std::vector<TypeParam>& c = product.Compute(Multiply<TypeParam>);
        if (threads == 1) expected = c;
        ASSERT_EQ(std::memcmp(c.data(), expected.data(), c.size() * sizeof(TypeParam)), 0) << threads << " threads";
      }
    });
  }
}

TEST(GemmNameTest, NamesLibraryAndVersion) {
  EXPECT_THAT(GemmName(), ::testing::MatchesRegex("twofour|(oneDNN|Eigen) [0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace twofour::kernels
