// Plans whose masks are V:N:M.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "twofour/sparse/mask_plan.h"
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::HasSubstr;

Mask FindVnmAt(const MaskPlanOptions& options, const Tensor& weight, int64_t step) {
  return MaskPlan(options).Find(weight, step, {}, "weight");
}

TEST(VnmPlanTest, VnmIsFoundAtEveryStepOfItsTime) {
  const Tensor weight = RandomF32({64, 48}, {.seed = 8});
  const MaskPlanOptions options{
      .method = MaskMethod::kVnm, .vnm = {.v = 16, .m = 8}, .first_sparse_step = 3, .dense_from_step = 9};
  EXPECT_EQ(FindVnmAt(options, weight, 2).CountKept(), weight.numel());
  EXPECT_EQ(FindVnmAt(options, weight, 3), FindVnmMask(weight, options.vnm));
  EXPECT_EQ(FindVnmAt(options, weight, 8).CountKept(), weight.numel() / 4);
  EXPECT_EQ(FindVnmAt(options, weight, 9).CountKept(), weight.numel());
  EXPECT_EQ(MaskPlan(options).PatternAt(5).ToString(), "16:2:8");
  EXPECT_FALSE(MaskPlan(options).AlwaysTwoOfFour());
}

TEST(VnmPlanTest, VnmColumnsAreChosenAsAsked) {
  const Tensor weight = RandomF32({64, 48}, {.seed = 8});
  MaskPlanOptions options{.method = MaskMethod::kVnm,
                          .vnm = {.v = 16, .m = 12},
                          .columns = VnmColumnChoice::kKept,
                          .stages = {{.step = 2, .m = 4}, {.step = 4, .m = 6}, {.step = 7, .m = 12}}};
  EXPECT_EQ(FindVnmAt(options, weight, 2), FindMask(weight, MaskMethod::kExact));
  EXPECT_EQ(FindVnmAt(options, weight, 4), FindVnmMask(weight, {.v = 16, .m = 6}, "w", VnmColumnChoice::kKept));
  EXPECT_EQ(FindVnmAt(options, weight, 7), FindVnmMask(weight, options.vnm, "w", VnmColumnChoice::kKept));
  EXPECT_NE(FindVnmAt(options, weight, 7), FindVnmMask(weight, options.vnm));
  EXPECT_ERROR(MaskPlan({.columns = VnmColumnChoice::kKept}), ErrorKind::kInvalidInput,
               HasSubstr("vnm.columns is kept, expected none but for vnm"));
  EXPECT_ERROR(MaskPlan({.method = MaskMethod::kVnm, .vnm = {.m = 20}, .columns = VnmColumnChoice::kExact}),
               ErrorKind::kInvalidInput,
               HasSubstr("columns chosen by exact for 64:2:20: m is 20, expected at most 16"));
}

TEST(VnmPlanTest, VnmHasRulesOfItsOwn) {
  EXPECT_ERROR(MaskPlan({.method = MaskMethod::kVnm, .vnm = {.v = 6}}), ErrorKind::kInvalidInput,
               HasSubstr("v is 6, expected a multiple of 4 from 4 to 256"));
  EXPECT_ERROR(MaskPlan({.vnm = {.v = 16}}), ErrorKind::kInvalidInput,
               HasSubstr("vnm is 16:2:8, expected none but for vnm"));
  EXPECT_ERROR(MaskPlan({.method = MaskMethod::kVnm, .schedule = SparsitySchedule({.to = 0.5})}),
               ErrorKind::kInvalidInput, HasSubstr("schedule given, expected none beside vnm"));
}

TEST(VnmPlanTest, StagesOfVnmHaveMoreAndMoreColumns) {
  const Tensor weight = RandomF32({64, 48}, {.seed = 8});
  MaskPlanOptions options{.method = MaskMethod::kVnm,
                          .vnm = {.v = 16, .m = 12},
                          .stages = {{.step = 2, .m = 4}, {.step = 4, .m = 6}, {.step = 7, .m = 12}}};
  EXPECT_EQ(FindVnmAt(options, weight, 1).CountKept(), weight.numel());
  EXPECT_EQ(FindVnmAt(options, weight, 2), FindMask(weight, MaskMethod::kExact));
  EXPECT_EQ(FindVnmAt(options, weight, 6), FindVnmMask(weight, {.v = 16, .m = 6}));
  EXPECT_EQ(FindVnmAt(options, weight, 7), FindVnmMask(weight, options.vnm));
  const MaskPlan plan(options);
  EXPECT_TRUE(plan.KeepsAll(1));
  EXPECT_EQ(plan.PatternAt(3), MaskFormat::TwoOfFour());
  EXPECT_EQ(plan.PatternAt(5).ToString(), "16:2:6");
  EXPECT_EQ(plan.PatternAt(9).ToString(), "16:2:12");
  EXPECT_TRUE(plan.AsksTheSame(4, 6));
  EXPECT_FALSE(plan.AsksTheSame(6, 7));
  EXPECT_FALSE(plan.AlwaysTwoOfFour());
  options.vnm.inner = VnmInner::kRows;
  EXPECT_EQ(FindVnmAt(options, weight, 2), FindRowMask(weight, {.keep = 2, .of = 4}));
  EXPECT_EQ(MaskPlan(options).PatternAt(5).ToString(), "16:2:6 along rows");
}

TEST(VnmPlanTest, StagesOfVnmHaveRules) {
  const auto expect = [](std::vector<MaskStage> stages, const char* message, bool nested = false) {
    EXPECT_ERROR(
        MaskPlan({.method = MaskMethod::kVnm, .vnm = {.m = 8}, .stages = std::move(stages), .nested_stages = nested}),
        ErrorKind::kInvalidInput, HasSubstr(message));
  };
  expect({{.step = 1}}, "stages[0].m is 0, expected 4 to 32");
  expect({{.step = 1, .m = 3}, {.step = 2, .m = 8}}, "stages[0].m is 3, expected 4 to 32");
  expect({{.step = 1, .m = 6}}, "stages[0].m is 6, expected 8: the last stage has the m of vnm");
  expect({{.step = 1, .m = 6}, {.step = 2, .m = 6}, {.step = 3, .m = 8}}, "stages[1].m is 6, expected more than 6");
  expect({{.step = 5, .m = 6}, {.step = 5, .m = 8}}, "expected a step after the stage before");
  expect({{.step = 1, .keep = 3, .m = 8}}, "stages[0].keep is 3, expected none for vnm");
  expect({{.step = 1, .m = 8}}, "nested_stages is true, expected false for vnm", true);
  EXPECT_ERROR(MaskPlan({.stages = {{.step = 1, .keep = 3, .m = 8}}}), ErrorKind::kInvalidInput,
               HasSubstr("stages[0].m is 8, expected none but for vnm"));
}

}  // namespace
}  // namespace twofour::sparse
