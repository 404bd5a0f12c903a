#include "twofour/train/data/table_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"
#include "twofour/train/data/shuffle.h"

#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class TableSamplesTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    test::WriteTextFile(dir_ / name, text);
    return (dir_ / name).string();
  }

  TableSamples Load(const std::string& text, const TableSchema& schema, const std::vector<std::string>& classes) {
    return LoadTableSamples(Write("other.csv", text), schema, classes, {}, {});
  }

  test::TempDir dir_;
};

TEST_F(TableSamplesTest, GivesTheBitsThatTrainingGot) {
  std::string text = "a,class,b,c\n";
  for (int i = 0; i < 40; ++i) {
    text += std::to_string(0.37 * i) + (i % 3 == 0 ? ",low," : ",high,") + std::to_string(1e5 - i * i) + ",1e-7\n";
  }
  const DataSplit trained =
      LoadCsv({.path = Write("t.csv", text), .eval_path = Write("e.csv", text), .label = "class"});
  const TableSamples loaded = Load(text, *trained.table, trained.class_names);
  ASSERT_EQ(loaded.samples->size(), 40);
  const std::vector<int64_t> all = AllIndices(40);
  const Batch now = loaded.samples->Get(all), then = trained.eval->Get(all);
  test::ExpectBitEqual(now.inputs, then.inputs);
  test::ExpectBitEqual(now.targets, then.targets);
}

TEST_F(TableSamplesTest, RefusesOtherClassesAndEmptyTables) {
  const TableSchema schema{.columns = {{.name = "x"}, {.name = "k", .use = TableColumn::Use::kTarget}},
                           .has_names = true};
  EXPECT_THAT(
      [&] {
        Load("x,k\n1,no\n2,Yes\n", schema, {"no", "yes"});
      },
      ThrowsMessage<Error>(HasSubstr("other.csv: line 3: class \"Yes\" is none that the model was made with, "
                                     "which has \"yes\"")));
  EXPECT_THAT([&] { Load("x\n1\n", schema, {"no", "yes"}); }, ThrowsMessage<Error>(HasSubstr("no column \"k\"")));
  EXPECT_THAT(
      [&] {
        Load("x,k\n", schema, {"no", "yes"});
      },
      ThrowsMessage<Error>(HasSubstr("no rows after the header")));
  EXPECT_THAT([&] { Load("", schema, {"no", "yes"}); }, ThrowsMessage<Error>(HasSubstr("the file is empty")));
}

TEST_F(TableSamplesTest, WithoutNamesTheFirstRowIsASample) {
  const TableSchema schema{.columns = {{.use = TableColumn::Use::kTarget}, {}}};
  const TableSamples loaded = Load("yes,1\nno,2\n", schema, {"no", "yes"});
  EXPECT_EQ(loaded.samples->size(), 2);
  EXPECT_EQ(loaded.samples->ClassCounts(), (std::vector<int64_t>{1, 1}));
}

}  // namespace
}  // namespace twofour::train
