#include "twofour/train/language_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/train/data/token_data.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;
using ::testing::HasSubstr;

/// Ids that count up and wrap around; the last 53 of 500 are held out.
TokenData MakeData() {
  std::vector<uint16_t> ids;
  for (uint16_t i = 0; i < 500; ++i) ids.push_back(i % 11);
  auto source = std::make_shared<InMemoryTokens>(ids);
  return {.train = {source, 0, 447},
          .eval = {source, 447, 500},
          .vocab_size = 11,
          .vocabulary = std::nullopt,
          .eval_bytes_per_token = 2,
          .description = "numbers"};
}

std::unique_ptr<nn::Gpt> MakeModel() {
  Generator generator(1);
  return std::make_unique<nn::Gpt>(nn::GptOptions{.vocab_size = 11,
                                                  .sequence_length = 8,
                                                  .depth = 1,
                                                  .width = 16,
                                                  .heads = 2,
                                                  .init = {.head_std = 0.3, .projection_std = 0.3}},
                                   generator);
}

TEST(LanguageModelTaskTest, AnEvaluationEndsBeforeABatchWhereItIsStopped) {
  auto model = MakeModel();
  const TokenData data = MakeData();
  LanguageModelTask task(*model, data, {});
  const NoGradGuard no_grad;
  std::atomic<bool> stop{true};
  EXPECT_FALSE(task.EvaluateUnless(&stop).has_value());
  stop = false;
  EXPECT_EQ(task.EvaluateUnless(&stop)->loss, task.Evaluate().loss);
}

TEST(LanguageModelTaskTest, EvaluationTakesEveryTokenOnceWhateverTheBatch) {
  auto model = MakeModel();
  const TokenData data = MakeData();
  const NoGradGuard no_grad;
  std::vector<double> losses;
  for (const int64_t batch_size : {1, 2, 100}) {
    LanguageModelTask task(*model, data, {.eval_batch_size = batch_size});
    losses.push_back(task.Evaluate().loss);
  }
  // By hand: windows of 8 from token 447 on, 52 targets in all.
  double sum = 0;
  for (int64_t begin = 447; begin + 1 < 500; begin += 8) {
    const int64_t length = std::min<int64_t>(8, 499 - begin);
    std::vector<int32_t> inputs, targets;
    for (int64_t i = 0; i < length; ++i) {
      inputs.push_back(static_cast<int32_t>((begin + i) % 11));
      targets.push_back(static_cast<int32_t>((begin + i + 1) % 11));
    }
    sum += model->Loss(test::I32(inputs, {1, length}), test::I32(targets, {1, length})).item() *
           static_cast<double>(length);
  }
  for (const double loss : losses) EXPECT_NEAR(loss, sum / 52, 1e-6);
}

TEST(LanguageModelTaskTest, TellsPerplexityAndBitsPerByte) {
  auto model = MakeModel();
  TokenData data = MakeData();
  const NoGradGuard no_grad;
  const EvalMetrics metrics = LanguageModelTask(*model, data, {}).Evaluate();
  ASSERT_EQ(metrics.details.size(), 2u);
  EXPECT_EQ(metrics.details[0].first, "perplexity");
  EXPECT_NEAR(std::log(metrics.details[0].second), metrics.loss, 1e-12);
  EXPECT_EQ(metrics.details[1].first, "bits_per_byte");
  EXPECT_NEAR(metrics.details[1].second * 2 * std::log(2.0), metrics.loss, 1e-12);
  data.eval_bytes_per_token = 0;
  EXPECT_EQ(LanguageModelTask(*model, data, {}).Evaluate().details.size(), 1u);
}

TEST(LanguageModelTaskTest, AnEvaluationMayBeCutShort) {
  auto model = MakeModel();
  const TokenData data = MakeData();
  const NoGradGuard no_grad;
  TokenData first = data;
  first.eval.end = first.eval.begin + 17;  // Two windows of 8 and the token after them.
  EXPECT_NEAR(LanguageModelTask(*model, data, {.eval_batch_size = 2, .eval_max_batches = 1}).Evaluate().loss,
              LanguageModelTask(*model, first, {}).Evaluate().loss, 1e-6);
}

TEST(LanguageModelTaskTest, ABatchDependsOnItsNumberAndTheSeedAlone) {
  auto model = MakeModel();
  const TokenData data = MakeData();
  LanguageModelTask one(*model, data, {.batch_size = 3}), again(*model, data, {.batch_size = 3});
  LanguageModelTask other(*model, data, {.batch_size = 3, .seed = 2});
  EXPECT_EQ(one.units_per_batch(), 24);
  again.Loss(0);
  ExpectBitEqual(one.Loss(5), again.Loss(5));
  EXPECT_NE(one.Loss(5).item(), one.Loss(6).item());
  EXPECT_NE(one.Loss(5).item(), other.Loss(5).item());
}

TEST(LanguageModelTaskTest, RejectsWhatDoesNotFit) {
  auto model = MakeModel();
  TokenData data = MakeData();
  const auto make = [&](const LanguageModelOptions& options) { LanguageModelTask(*model, data, options); };
  EXPECT_ERROR(make({.eval_max_batches = -1}), ErrorKind::kInvalidInput, HasSubstr("eval_max_batches is -1"));
  data.vocab_size = 12;
  EXPECT_ERROR(make({}), ErrorKind::kInvalidInput, HasSubstr("12 tokens, the model's vocabulary 11"));
  data.train.end = 8;
  EXPECT_ERROR(make({}), ErrorKind::kInvalidInput, HasSubstr("8 tokens"));
}

}  // namespace
}  // namespace twofour::train
