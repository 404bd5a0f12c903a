#include "twofour/train/program/sweep/variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

using test::ParseSweep;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::SizeIs;

SweepVariants Variants(const std::string& text) { return SweepVariants(ParseSweep(text), "s", "base"); }

TEST(SweepVariantsTest, WithoutAxesTheBaseIsTheOnlyOne) {
  const SweepVariants variants = Variants("set: 'training.steps=3'");
  ASSERT_THAT(variants.all(), SizeIs(1));
  EXPECT_EQ(variants.all()[0].name, "base");
  EXPECT_EQ(variants.all()[0].folder, "base");
  EXPECT_THAT(variants.all()[0].set, ElementsAre("training.steps=3"));
}

TEST(SweepVariantsTest, CombinesEveryEntryOfEveryAxis) {
  const SweepVariants variants = Variants(
      "set: 'x=0' axis { variant { name: 'cubic' set: 'a=1' set: 'b=2' } variant { name: 'none' } } "
      "axis { field: 'learning_rate.lr' value: ['0.01', '0.1', '1'] }");
  EXPECT_THAT(variants.names(), ElementsAre("cubic, lr=0.01", "cubic, lr=0.1", "cubic, lr=1", "none, lr=0.01",
                                            "none, lr=0.1", "none, lr=1"));
  EXPECT_THAT(variants.all()[1].set, ElementsAre("x=0", "a=1", "b=2", "learning_rate.lr=0.1"));
  EXPECT_THAT(variants.all()[5].set, ElementsAre("x=0", "learning_rate.lr=1"));
  EXPECT_EQ(variants.all()[1].folder, "cubic_lr=0.1");
  EXPECT_THAT(variants.all()[4].entries, ElementsAre(1, 1));
}

TEST(SweepVariantsTest, FieldsThatEndAlikeAreWrittenOut) {
  EXPECT_THAT(Variants("axis { field: 'data.path' value: '1' } axis { field: 'x.path' value: '2' } "
                       "axis { field: 'x.other' value: '3' }")
                  .names(),
              ElementsAre("data.path=1, x.path=2, other=3"));
}

TEST(SweepVariantsTest, APathAsAValueMakesNoFolders) {
  EXPECT_THAT(Variants("axis { field: 'data.csv.path' value: '../a/b.csv' }").names(), ElementsAre("path=.._a_b.csv"));
}

TEST(SweepVariantsTest, SafeFolderNamesNeedNoQuotes) {
  EXPECT_EQ(SafeFolderName("cubic, lr=0.01"), "cubic_lr=0.01");
  EXPECT_EQ(SafeFolderName("a/b $(rm) 'c' \n"), "a_b_rm_c_");
  EXPECT_EQ(SafeFolderName(".."), "_..");
  EXPECT_EQ(SafeFolderName("-rf"), "_-rf");
  EXPECT_EQ(SafeFolderName("\xc3\xbc"), "_");
}

TEST(SweepVariantsTest, NoTwoShareANameOrAFolder) {
  EXPECT_ERROR(Variants("axis { variant { name: 'a b' } variant { name: 'a_b' } }"), ErrorKind::kInvalidInput,
               Eq("s: variants 'a b' and 'a_b' would share the folder a_b; rename one"));
  EXPECT_ERROR(Variants("axis { variant { name: 'a, b' } variant { name: 'a' } } "
                        "axis { variant { name: 'c' } variant { name: 'b, c' } }"),
               ErrorKind::kInvalidInput, Eq("s: variant 'a, b, c' twice, expected different names"));
}

TEST(SweepVariantsTest, ANameThatIsTooLongForAFolderIsTurnedDown) {
  EXPECT_ERROR(Variants("axis { field: 'a' value: '" + std::string(300, 'x') + "' }"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("302 characters, expected at most 200"), HasSubstr("variant {")));
}

TEST(SweepVariantsTest, FindsByNameAndSuggestsTheNearest) {
  const SweepVariants variants = Variants("axis { variant { name: 'dense' } variant { name: 'cubic' } }");
  EXPECT_EQ(variants.Find("cubic", "here"), 1u);
  EXPECT_ERROR(variants.Find("dence", "here"), ErrorKind::kInvalidInput,
               Eq("here: no variant is named 'dence' (did you mean 'dense'?)"));
}

TEST(SweepVariantsTest, AnEntryStandsForTheVariantThatDiffersInItsAxisAlone) {
  const SweepVariants variants = Variants(
      "axis { variant { name: 'dense' } variant { name: 'again' } variant { name: 'x' } } "
      "axis { field: 'lr' value: ['1', '2'] } axis { variant { name: 'p' } variant { name: 'q' } variant { name: 'x' } "
      "}");
  const auto from = [&](const std::string& name, const std::string& entry) {
    return variants.names()[variants.FindFrom(variants.Find(name, "s"), entry, "s")];
  };
  EXPECT_EQ(from("again, lr=2, q", "dense"), "dense, lr=2, q");
  EXPECT_EQ(from("again, lr=2, q", "lr=1"), "again, lr=1, q");
  EXPECT_EQ(from("dense, lr=1, p", "q"), "dense, lr=1, q");
  EXPECT_EQ(from("dense, lr=1, p", "again, lr=2, x"), "again, lr=2, x");
  EXPECT_ERROR(from("dense, lr=1, p", "x"), ErrorKind::kInvalidInput, Eq("s: 'x' is an entry of several axes"));
}

TEST(SweepVariantsTest, NoneTakesThePlaceOfTheSweepsOwnFiles) {
  for (const std::string name : {"sweep.json", "report.html", "report.csv"}) {
    EXPECT_ERROR(Variants("axis { variant { name: '" + name + "' } }"), ErrorKind::kInvalidInput,
                 HasSubstr("variant '" + name + "': its folder would take the place of the sweep's own file"));
  }
}

}  // namespace
}  // namespace twofour::train
