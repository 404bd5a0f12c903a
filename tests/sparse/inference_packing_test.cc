#include "twofour/sparse/inference_packing.h"

#include <gtest/gtest.h>

#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/pruning_pattern.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

TEST(InferencePackingTest, PacksWhatThePatternKeeps) {
  const Tensor weight = test::RandomF32({24, 36}, {.seed = 3, .stream = 0});
  for (const char* const text : {"2:4", "1:4", "4:8", "transposable:2:4", "transposable:1:4", "8:2:8", "rows:8:2:9"}) {
    SCOPED_TRACE(text);
    const PruningPattern pattern = ParsePruningPattern(text, "test");
    ASSERT_TRUE(HasInferenceForm(pattern.format));
    const Mask mask = FindMaskOf(weight, pattern);
    const Tensor masked = ApplyMask(weight, mask);
    const auto packed = PackForInference(masked, mask, pattern.format, DType::kF32, "weight");
    test::ExpectBitEqual(packed->Unpack(), masked);
    EXPECT_EQ(packed->bytes(), InferenceBytes(24, 36, pattern.format, DType::kF32));
    EXPECT_GT(packed->bytes(), InferenceBytes(24, 36, pattern.format, DType::kBF16));
  }
}

TEST(InferencePackingTest, OtherMasksHaveNoForm) {
  EXPECT_FALSE(HasInferenceForm(MaskFormat::Dense()));
  EXPECT_FALSE(HasInferenceForm(MaskFormat::Unstructured()));
  EXPECT_FALSE(HasInferenceForm(MaskFormat::Blocks(4, 4)));
}

}  // namespace
}  // namespace twofour::sparse
