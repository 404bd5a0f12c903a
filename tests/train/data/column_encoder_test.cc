#include "twofour/train/data/column_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using Kind = ColumnEncoder::Fault::Kind;
using Use = TableColumn::Use;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// A label, a number that may be missing, words, words that may be missing, a dropped column and a number.
TableSchema Mixed() {
  return {.columns = {{.name = "k", .use = Use::kTarget},
                      {.name = "age", .fill = 30, .missing_input = true},
                      {.name = "color", .categories = {"blue", "red"}},
                      {.name = "city", .categories = {"Oslo", "Rome"}, .missing_input = true},
                      {.name = "id", .use = Use::kDropped},
                      {.name = "size"}},
          .has_names = true,
          .scaling = {{20, 0, 0, 0, 0, 0, 0, 1}, {10, 1, 1, 1, 1, 1, 1, 2}}};
}

std::vector<float> Encode(const TableSchema& schema, const std::vector<double>& values) {
  const ColumnEncoder encoder(schema);
  std::vector<float> inputs(static_cast<size_t>(encoder.inputs()), -7);
  const auto fault = encoder.Encode(values, inputs);
  EXPECT_FALSE(fault);
  return inputs;
}

TEST(TableSchemaTest, NamesTheInputsOfEachColumn) {
  const TableSchema schema = Mixed();
  EXPECT_EQ(schema.inputs(), 8);
  EXPECT_THAT(schema.InputNames(), ElementsAre("age", "age (missing)", "color=blue", "color=red", "city=Oslo",
                                               "city=Rome", "city (missing)", "size"));
  EXPECT_THAT(schema.Places(Use::kInput), ElementsAre(1, 2, 3, 5));
  EXPECT_THAT(schema.TargetNames(), ElementsAre("k"));
}

TEST(ColumnEncoderTest, PutsEachColumnWhereItBelongs) {
  EXPECT_THAT(Encode(Mixed(), {40, 1, 0, 7}), ElementsAre(2, 0, 0, 1, 1, 0, 0, 3));
  EXPECT_THAT(Encode(Mixed(), {kMissing, 0, kMissing, 1}), ElementsAre(1, 1, 1, 0, 0, 0, 1, 0));
}

TEST(ColumnEncoderTest, AWordThatIsMissingWhereNoneWasIsNoneOfTheWords) {
  EXPECT_THAT(Encode(Mixed(), {40, kMissing, 1, 7}), ElementsAre(2, 0, 0, 0, 0, 1, 0, 3));
}

TEST(ColumnEncoderTest, WithoutScalingNumbersAreTakenAsTheyAre) {
  TableSchema schema = Mixed();
  schema.scaling = {};
  EXPECT_THAT(Encode(schema, {kMissing, 0, 1, 0.1}), ElementsAre(30, 1, 1, 0, 0, 1, 0, 0.1F));
}

TEST(ColumnEncoderTest, SaysWhichFeatureCannotBeEncoded) {
  const ColumnEncoder encoder(Mixed());
  std::vector<float> inputs(8);
  const auto fault = [&](const std::vector<double>& values) { return encoder.Encode(values, inputs); };
  ASSERT_TRUE(fault({40, 0, 0, kMissing}));
  EXPECT_EQ(fault({40, 0, 0, kMissing})->kind, Kind::kMissing);
  EXPECT_EQ(fault({40, 0, 0, kMissing})->feature, 3U);
  EXPECT_EQ(fault({40, 0, 0, 1e300})->feature, 3U);
  EXPECT_EQ(fault({40, 0, 0, 1e300})->kind, Kind::kTooFar);
}

}  // namespace
}  // namespace twofour::train
