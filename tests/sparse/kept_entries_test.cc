#include "twofour/sparse/kept_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(KeptEntriesTest, AreThoseThatTheMaskKeeps) {
  Mask mask(4, 8);
  mask.tiles()[0] = 0b1000'0000'0001'0010;  // Row 0: column 1; row 1: column 0; row 3: column 3.
  mask.tiles()[1] = 0b0001;
  std::vector<float> values(32);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor kept = KeptEntries(mask, Tensor::FromVector(values, {4, 8}));
  EXPECT_THAT(kept.ToVector(), ElementsAre(1, 8, 27, 4));
}

TEST(KeptEntriesTest, SpreadEntriesIsTheReverse) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{64, 96}, {1, 1}, {5, 7}, {130, 3}}) {
    Tensor values = Tensor::Empty({rows, cols}), random = Tensor::Empty({rows, cols});
    FillNormal(values, 0, 1, {1, 2, 3});
    FillNormal(random, 0, 1, {4, 5, 6});
    Tensor keeps = Tensor::Empty({rows, cols}, DType::kBool);
    for (int64_t i = 0; i < values.numel(); ++i) keeps.mutable_data<bool>()[i] = random.data<float>()[i] > 0.3f;
    const Mask mask = Mask::FromTensor(keeps);
    const Tensor entries = KeptEntries(mask, values);
    EXPECT_EQ(entries.numel(), mask.CountKept());
    EXPECT_EQ(SpreadEntries(mask, entries).ToVector(), ApplyMask(values, mask).ToVector());
  }
}

TEST(KeptEntriesTest, RefuseWhatDoesNotFit) {
  const Mask mask(4, 8);
  EXPECT_ERROR(KeptEntries(mask, Tensor::Zeros({8, 4})), ErrorKind::kInvalidInput, HasSubstr("expected [4, 8]"));
  EXPECT_ERROR(SpreadEntries(mask, Tensor::Zeros({1})), ErrorKind::kInvalidInput, HasSubstr("1 entries, expected 0"));
}

}  // namespace
}  // namespace twofour::sparse
