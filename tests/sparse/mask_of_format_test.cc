#include "twofour/sparse/mask_of_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using ::testing::HasSubstr;

TEST(FindMaskOfTest, EachFormatHasItsSearch) {
  const Tensor scores = test::RandomF32({16, 24}, {.seed = 1});
  const VnmPattern pattern{.v = 8, .m = 6}, rows{.v = 8, .m = 6, .inner = VnmInner::kRows};
  EXPECT_EQ(FindMaskOf(scores, MaskFormat::TwoOfFour()), FindMask(scores, MaskMethod::kExact));
  EXPECT_EQ(FindMaskOf(scores, MaskFormat::Rows(1, 3)), FindRowMask(scores, {.keep = 1, .of = 3}));
  EXPECT_EQ(FindMaskOf(scores, MaskFormat::Vnm(pattern)), FindVnmMask(scores, pattern));
  EXPECT_EQ(FindMaskOf(scores, MaskFormat::Vnm(rows)), FindVnmMask(scores, rows));
  EXPECT_EQ(FindMaskOf(scores, MaskFormat::Vnm(rows), "w", VnmColumnChoice::kExact),
            FindVnmMask(scores, rows, "w", VnmColumnChoice::kExact));
}

TEST(FindMaskOfTest, OtherFormatsHaveNone) {
  for (const MaskFormat& format : {MaskFormat::Dense(), MaskFormat::Unstructured()}) {
    EXPECT_ERROR(FindMaskOf(Tensor::Zeros({4, 4}), format), ErrorKind::kInvalidInput,
                 HasSubstr("weight: no search for masks that are " + format.ToString()));
  }
}

}  // namespace
}  // namespace twofour::sparse
