#include "twofour/train/program/cli/evaluation_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// One sample of each of the first `classes - 1` classes, of which every second is taken for its own and the others
/// for the class before. The last class never occurs.
EvaluationReport Report(int64_t classes) {
  EvaluationReport report{.weights = "w.safetensors",
                          .step = 30,
                          .data = "t.csv",
                          .unit = "samples",
                          .metrics = {.loss = 0.1, .details = {{"accuracy", 0.5}}, .count = classes - 1}};
  report.confusion.emplace(classes);
  Tensor logits = Tensor::Zeros({classes - 1, classes}), targets = Tensor::Empty({classes - 1}, DType::kI32);
  for (int64_t i = 0; i + 1 < classes; ++i) {
    targets.mutable_data<int32_t>()[i] = static_cast<int32_t>(i);
    logits.mutable_data<float>()[i * classes + (i % 2 == 0 ? i : i - 1)] = 1;
  }
  report.confusion->Add(logits, targets);
  for (int64_t c = 0; c < classes; ++c) report.class_names.push_back("c" + std::to_string(c));
  return report;
}

TEST(EvaluationReportTest, ShowsTheMatrixOfFewClasses) {
  EXPECT_EQ(ToLines(Report(3)),
            "weights: w.safetensors, after step 30\n"
            "data: t.csv\n"
            "samples: 2\n"
            "loss: 0.1\n"
            "accuracy: 0.5\n"
            "\n"
            "class   samples  precision  recall      F1\n"
            "\"c0\"          1     0.5000  1.0000  0.6667\n"
            "\"c1\"          1          -  0.0000  0.0000\n"
            "\"c2\"          0          -       -       -\n"
            "\n"
            "class (rows) taken for (columns)\n"
            "      \"c0\"  \"c1\"  \"c2\"\n"
            "\"c0\"     1     0     0\n"
            "\"c1\"     1     0     0\n"
            "\"c2\"     0     0     0\n");
}

TEST(EvaluationReportTest, ShowsTheWorstOfManyClasses) {
  const std::string lines = ToLines(Report(50));
  EXPECT_THAT(lines, AllOf(HasSubstr("(20 of 50 classes, those with the lowest F1; --json has all)"),
                           HasSubstr("\"c1\""), Not(HasSubstr("\"c0\"")), Not(HasSubstr("taken for"))));
}

TEST(EvaluationReportTest, JsonHasNullForSharesOfNothing) {
  const auto json = nlohmann::json::parse(ToJson(Report(3)));
  EXPECT_EQ(json["loss"], 0.1);
  EXPECT_EQ(json["samples"], 2);
  EXPECT_EQ(json["classes"][0], nlohmann::json::parse(R"({"name": "c0", "samples": 1, "precision": 0.5, "recall": 1.0,
                                                          "f1": 0.6666666666666666, "predicted": [1, 0, 0]})"));
  EXPECT_TRUE(json["classes"][2]["precision"].is_null());
  EXPECT_TRUE(json["classes"][2]["f1"].is_null());
}

TEST(EvaluationReportTest, NamesMayBeAnyBytes) {
  EvaluationReport report = Report(2);
  report.class_names[0] = "\xff";
  EXPECT_TRUE(nlohmann::json::parse(ToJson(report))["classes"][0]["name"].is_string());
  EXPECT_THAT(ToLines(report), HasSubstr("class (rows)"));
}

}  // namespace
}  // namespace twofour::train
