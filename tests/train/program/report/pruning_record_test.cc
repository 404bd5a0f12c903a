#include "twofour/train/program/report/pruning_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

TEST(PruningRecordTest, TellsHowWeightsWereRounded) {
  const PruningRecord record = ParseQuantizationRecord(
      R"({"run": "r", "weights": "int8", "activations": "none", "bytes_before": 400, "bytes_after": 104,
          "loss_before": 1.5, "loss_after": null})",
      "q.json");
  EXPECT_EQ(record.method, "weights int8, inputs none");
  EXPECT_EQ(record.pattern, "104 of 400 bytes");
  EXPECT_EQ(record.sparsity, std::nullopt);
  EXPECT_EQ(record.loss_before, 1.5);
  EXPECT_EQ(record.loss_after, std::nullopt);
  EXPECT_ERROR(ParseQuantizationRecord(R"({"weights": "int8", "activations": "none", "bytes_before": 4})", "q.json"),
               ErrorKind::kInvalidInput, HasSubstr("q.json: no bytes_after"));
  EXPECT_ERROR(ParseQuantizationRecord(R"({"weights": 8, "activations": "none"})", "q.json"), ErrorKind::kInvalidInput,
               HasSubstr("q.json: weights"));
  EXPECT_ERROR(ParseQuantizationRecord("{", "q.json"), ErrorKind::kInvalidInput, HasSubstr("q.json"));
}

}  // namespace
}  // namespace twofour::train
