#include "twofour/train/data/class_notes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<const Dataset> Samples(const std::vector<int32_t>& labels, int64_t num_classes) {
  const auto count = static_cast<int64_t>(labels.size());
  return std::make_shared<InMemoryDataset>(Tensor::Zeros({count, 1}), Tensor::FromVector(labels, {count}), num_classes);
}

DataSplit Split(const std::vector<std::string>& names, const std::vector<int32_t>& train,
                const std::vector<int32_t>& eval) {
  DataSplit split;
  const auto num_classes = static_cast<int64_t>(names.size());
  split.train = Samples(train, num_classes);
  split.eval = Samples(eval, num_classes);
  split.class_names = names;
  return split;
}

std::vector<std::string> NotesOf(DataSplit split) {
  NoteClasses(split);
  return split.notes;
}

TEST(DescribeClassCountsTest, ListsAllOfAFew) {
  EXPECT_EQ(DescribeClassCounts(Split({"a", "b c", "2.5"}, {0, 0, 1, 0}, {2, 1})), "a 3/0, \"b c\" 1/1, 2.5 0/1");
}

TEST(DescribeClassCountsTest, ListsBothEndsOfMany) {
  // Class i has i + 1 samples to train on, but 3 has as many as 2.
  std::vector<std::string> names;
  std::vector<int32_t> train;
  for (int32_t i = 0; i < 11; ++i) {
    names.push_back(fmt::format("k{}", i));
    for (int32_t j = 0; j < (i == 3 ? 3 : i + 1); ++j) train.push_back(i);
  }
  EXPECT_EQ(DescribeClassCounts(Split(names, train, {10, 10, 9})),
            "rarest k0 1/0, k1 2/0, k2 3/0, k3 3/0; most frequent k10 11/2, k9 10/1, k8 9/0, k7 8/0");
}

TEST(NoteClassesTest, SaysNothingOfOrdinaryClasses) {
  EXPECT_THAT(NotesOf(Split({"a", "b"}, {0, 1, 0, 1}, {0, 1})), IsEmpty());
  EXPECT_THAT(NotesOf(Split({"a", "b"}, {0, 1, 0, 1}, {0})), IsEmpty());
}

TEST(NoteClassesTest, NamesClassesThatTrainingNeverSees) {
  EXPECT_THAT(NotesOf(Split({"a", "b", "c"}, {0, 0, 1, 1}, {2, 2, 0})),
              ElementsAre("class \"c\" occurs in evaluation alone: 2 of its 3 samples can never be right"));
  EXPECT_THAT(NotesOf(Split({"a", "b", "c", "d"}, {0, 0, 1, 1}, {2, 3, 2, 3, 0})),
              ElementsAre("classes \"c\", \"d\" occur in evaluation alone: 4 of its 5 samples can never be right"));
}

TEST(NoteClassesTest, NamesRareClasses) {
  EXPECT_THAT(NotesOf(Split({"a", "b", "c"}, {0, 0, 1}, {0})),
              ElementsAre("class \"b\" occurs once in all samples", "class \"c\" occurs in no sample"));
  EXPECT_THAT(NotesOf(Split({"a", "b"}, {0, 0}, {0, 1, 1})),
              ElementsAre("class \"b\" occurs in evaluation alone: 2 of its 3 samples can never be right",
                          "all samples to train on are of class \"a\""));
}

TEST(NoteClassesTest, NamesNoMoreThanAFew) {
  std::vector<std::string> names;
  std::vector<int32_t> labels;
  for (int32_t i = 0; i < 9; ++i) {
    names.push_back(fmt::format("k{}", i));
    labels.push_back(i);
  }
  EXPECT_THAT(NotesOf(Split(names, labels, {0})),
              ElementsAre("classes \"k1\", \"k2\", \"k3\", \"k4\", \"k5\" and 3 more occur once in all samples"));
}

TEST(NoteClassesTest, QuotesClassesThatAreSpelledInSeveralWays) {
  EXPECT_THAT(NotesOf(Split({"Yes ", "no", "yes"}, {0, 0, 1, 1, 2, 2, 2}, {1, 2})),
              ElementsAre("classes \"Yes \" (2), \"yes\" (4) look like one class spelled in 2 ways"));
  EXPECT_THAT(NotesOf(Split({"1", "1.0", "2",
                             "\xEF\xBB\xBF"
                             "2"},
                            {0, 0, 1, 1, 2, 2, 3, 3}, {0})),
              ElementsAre("classes \"1\" (3), \"1.0\" (2) look like one class spelled in 2 ways",
                          "classes \"2\" (2), \"<U+FEFF>2\" (2) look like one class spelled in 2 ways"));
}

TEST(NoteClassesTest, NamesWhatLooksMissing) {
  EXPECT_THAT(NotesOf(Split({"NA", "a"}, {0, 0, 1, 1}, {0, 1})),
              ElementsAre("class \"NA\" looks like a missing value"));
}

TEST(RequireCommonClassTest, RefusesAnEvaluationThatCanOnlyFail) {
  EXPECT_NO_THROW(RequireCommonClass(Split({"a", "b", "c"}, {0, 1}, {2, 2, 2, 2, 1}), "f"));
  EXPECT_NO_THROW(RequireCommonClass(Split({"a", "b", "c"}, {0, 1}, {2, 2, 2, 2}), "f"));  // Only a note.
  EXPECT_ERROR(RequireCommonClass(Split({"a", "b", "c"}, {0, 1}, {2, 2, 2, 2, 2}), "f"), ErrorKind::kInvalidInput,
               "f: none of the 5 evaluation samples is of a class that occurs among the 2 to train on, of 3 classes in "
               "all; expected several samples of a class");
}

}  // namespace
}  // namespace twofour::train
