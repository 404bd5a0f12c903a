#include "twofour/train/data/table_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

using Cells = std::vector<std::string>;
using Use = TableColumn::Use;

/// A model that was made with the columns x, k, y, of which k is the label.
TableSchema Named() {
  return {.columns = {{.name = "x"}, {.name = "k", .use = Use::kTarget}, {.name = "y"}},
          .has_names = true,
          .scaling = {{1, 10}, {2, 5}}};
}

TableSchema Unnamed() { return {.columns = {{}, {.use = Use::kTarget}, {}}, .scaling = {{1, 10}, {2, 5}}}; }

TableInputs Begin(const Cells& first, const TableSchema& schema, const TableWishes& wishes = {},
                  const CsvOptions& csv = {}) {
  return {{1, first}, schema, csv, wishes, "t.csv"};
}

std::vector<float> Encode(const TableInputs& table, const Cells& cells) {
  std::vector<float> inputs(2);
  table.Encode({7, cells}, inputs);
  return inputs;
}

void ExpectFault(const Cells& first, const TableSchema& schema, const std::string& fault,
                 const TableWishes& wishes = {}) {
  EXPECT_THAT([&] { Begin(first, schema, wishes); }, ThrowsMessage<Error>("t.csv: line 1: " + fault));
}

TEST(TableInputsTest, FindsColumnsByName) {
  for (const auto& [header, row] : std::vector<std::pair<Cells, Cells>>{{{"x", "k", "y"}, {"5", "a", "20"}},
                                                                        {{"x", "y"}, {"5", "20"}},
                                                                        {{"y", "x"}, {"20", "5"}},
                                                                        {{"k", "y", "x"}, {"a", "20", "5"}},
                                                                        {{"x", "y", ""}, {"5", "20", ""}}}) {
    const TableInputs table = Begin(header, Named());
    EXPECT_TRUE(table.has_header());
    EXPECT_THAT(Encode(table, row), ElementsAre(2, 2)) << testing::PrintToString(header);
  }
  EXPECT_THAT(Begin({"x", "k", "y"}, Named()).notes(), IsEmpty());
  EXPECT_THAT(Begin({"y", "x"}, Named()).notes(), ElementsAre(HasSubstr("were found by name")));
}

TEST(TableInputsTest, WithoutNamesPositionsCount) {
  const TableInputs with_label = Begin({"5", "a", "20"}, Unnamed());
  EXPECT_FALSE(with_label.has_header());
  EXPECT_THAT(Encode(with_label, {"5", "a", "20"}), ElementsAre(2, 2));
  EXPECT_THAT(Encode(Begin({"5", "20"}, Unnamed()), {"5", "20"}), ElementsAre(2, 2));
  ExpectFault({"5"}, Unnamed(), "1 column, expected 2, or 3 with the label: the model's columns have no names");
  ExpectFault({"5", "6", "7", "8"}, Unnamed(),
              "4 columns, expected 2, or 3 with the label: the model's columns have no names");
  ExpectFault({"5", "20"}, Unnamed(), "2 columns, expected 3: features and the label", {.targets = true});
}

TEST(TableInputsTest, RefusesHeadersThatDoNotFit) {
  ExpectFault({"x", "k"}, Named(), "no column \"y\", which the model was made with");
  ExpectFault({"1", "2"}, Named(),
              "names none of the model's columns, expected a header with \"x\", \"y\", separated by ','");
  ExpectFault({"x", "y", "z", "w"}, Named(),
              "columns \"z\", \"w\", which the model was not made with; --ignore-extra leaves them out");
  ExpectFault({"x", "x", "y"}, Named(), "2 columns are named \"x\": which is which cannot be known");
  ExpectFault({"x", "y"}, Named(), "no column \"k\", the label", {.targets = true});
}

TEST(TableInputsTest, LeavesExtraColumnsOutOnRequest) {
  const TableInputs table = Begin({"id", "x", "y"}, Named(), {.ignore_extra = true});
  EXPECT_THAT(Encode(table, {"n1", "5", "20"}), ElementsAre(2, 2));
  EXPECT_THAT(table.notes(), ElementsAre(HasSubstr("column \"id\" left out")));
}

TEST(TableInputsTest, ColumnsOfOneNameNeedTheSameHeader) {
  TableSchema schema = Named();
  schema.columns[2].name = "x";
  EXPECT_THAT(Encode(Begin({"x", "k", "x"}, schema), {"5", "a", "20"}), ElementsAre(2, 2));
  EXPECT_THAT(Encode(Begin({"x", "x"}, schema), {"5", "20"}), ElementsAre(2, 2));
  ExpectFault({"k", "x", "x"}, schema, "2 columns are named \"x\": which is which cannot be known");
}

TEST(TableInputsTest, HandsColumnsOn) {
  const TableInputs named = Begin({"id", "x", "y", "k"}, Named(), {.keep = {"id", "k", "x"}});
  EXPECT_THAT(named.kept_names(), ElementsAre("id", "k", "x"));
  EXPECT_THAT(named.Kept({2, {"n1", "5", "20", "a"}}), ElementsAre("n1", "a", "5"));
  ExpectFault({"x", "y"}, Named(), "no column \"id\", which is to be kept", {.keep = {"id"}});
  const TableInputs unnamed = Begin({"5", "a", "20"}, Unnamed(), {.keep = {"1"}});
  EXPECT_THAT(unnamed.Kept({2, {"5", "a", "20"}}), ElementsAre("a"));
  for (const char* wrong : {"3", "-1", "x"}) {
    EXPECT_THAT(
        [&] {
          Begin({"5", "a", "20"}, Unnamed(), {.keep = {wrong}});
        },
        ThrowsMessage<Error>(HasSubstr("to keep, expected 0 to 2")));
  }
}

TEST(TableInputsTest, RefusesRowsThatDoNotFit) {
  const TableInputs table = Begin({"x", "k", "y"}, Named(), {.targets = true});
  const auto encode = [&](const Cells& cells) { return [&table, cells] { Encode(table, cells); }; };
  EXPECT_THAT(encode({"5", "a"}), ThrowsMessage<Error>("t.csv: line 7: 2 columns, line 1 has 3"));
  EXPECT_THAT(encode({"5", "a", "high"}),
              ThrowsMessage<Error>("t.csv: line 7: column \"y\": \"high\" is not a finite number"));
  for (const char* wrong : {"", "NA", "nan", "inf", "1,5", "0x10"}) {
    EXPECT_THAT(encode({wrong, "a", "5"}), ThrowsMessage<Error>(HasSubstr("is not a finite number"))) << wrong;
  }
  EXPECT_THAT(encode({"5", "a", "1e300"}), ThrowsMessage<Error>(HasSubstr("is too far from what the model was made")));
  EXPECT_EQ(table.Label({7, {"5", "a", "20"}}), "a");
  EXPECT_THAT([&] { table.Label({7, {"5", "", "20"}}); }, ThrowsMessage<Error>("t.csv: line 7: the label is empty"));
}

TEST(TableInputsTest, NumbersAreWrittenAsTheOptionsSay) {
  const TableInputs table = Begin({"x", "y"}, Named(), {}, {.delimiter = ';', .decimal = ','});
  EXPECT_THAT(Encode(table, {"2,5", "12,5"}), ElementsAre(0.75F, 0.5F));
  EXPECT_THAT([&] { Encode(table, {"2.5", "1"}); }, ThrowsMessage<Error>(HasSubstr("with a decimal comma")));
}

TEST(TableInputsTest, WithoutScalingInputsAreTheNumbers) {
  TableSchema schema = Named();
  schema.scaling = {};
  EXPECT_THAT(Encode(Begin({"x", "y"}, schema), {"5", "0.1"}), ElementsAre(5.0F, 0.1F));
}

}  // namespace
}  // namespace twofour::train
