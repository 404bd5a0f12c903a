#include "twofour/nn/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/random.h"

namespace twofour::nn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kBelowOne = 1.0 - 0x1p-53;
constexpr int kGrid = 4000;

/// How often each index is drawn, over a grid of uniforms.
std::vector<double> Frequencies(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<double> frequencies(logits.size());
  for (int i = 0; i < kGrid; ++i) {
    const int32_t token = SampleToken(logits, options, (i + 0.5) / kGrid);
    frequencies.at(static_cast<size_t>(token)) += 1.0 / kGrid;
  }
  return frequencies;
}

/// How often each index should be drawn. Takes the likeliest index that is left, again and again.
std::vector<double> Probabilities(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<double> weights, kept(logits.size());
  for (float logit : logits) weights.push_back(std::exp(static_cast<double>(logit) / options.temperature));
  const auto take_likeliest = [&](std::set<size_t>& left) {
    size_t best = *left.begin();
    for (size_t i : left) best = weights[i] > weights[best] ? i : best;
    left.erase(best);
    return best;
  };
  std::set<size_t> all, top_k;
  for (size_t i = 0; i < logits.size(); ++i) all.insert(i);
  double total = 0;
  while (!all.empty() && (options.top_k == 0 || static_cast<int64_t>(top_k.size()) < options.top_k)) {
    const size_t token = take_likeliest(all);
    top_k.insert(token);
    total += weights[token];
  }
  double sum = 0;
  while (!top_k.empty() && sum < options.top_p * total) {
    const size_t token = take_likeliest(top_k);
    kept[token] = weights[token];
    sum += weights[token];
  }
  for (double& weight : kept) weight /= sum;
  return kept;
}

TEST(SampleTokenTest, FrequenciesAreTheProbabilities) {
  RandomSequence random({.seed = 1});
  for (int vocabulary : {1, 2, 7, 20}) {
    std::vector<float> logits;
    for (int i = 0; i < vocabulary; ++i) logits.push_back(random.Uniform(-3, 3));
    if (vocabulary > 2) logits[2] = -kInf;
    for (double temperature : {0.3, 1.0, 5.0}) {
      for (int64_t top_k : {0, 1, 3, 100}) {
        for (double top_p : {0.001, 0.5, 0.93, 1.0}) {
          SCOPED_TRACE(::testing::Message()
                       << vocabulary << " logits, temperature " << temperature << ", k " << top_k << ", p " << top_p);
          const SamplingOptions options{.temperature = temperature, .top_k = top_k, .top_p = top_p};
          const auto frequencies = Frequencies(logits, options), probabilities = Probabilities(logits, options);
          for (size_t i = 0; i < logits.size(); ++i) {
            // Each interval of uniforms has two ends on the grid.
            EXPECT_NEAR(frequencies[i], probabilities[i], 1.001 / kGrid) << i;
            if (probabilities[i] == 0) {
              EXPECT_EQ(frequencies[i], 0) << i;
            }
          }
        }
      }
    }
  }
}

TEST(SampleTokenTest, ZeroTemperatureAndTopOneAreTheLargestLogit) {
  const std::vector<float> logits{-1, 4, 2, 4, -kInf};
  for (double uniform : {0.0, 0.3, 0.7, kBelowOne}) {
    EXPECT_EQ(SampleToken(logits, {.temperature = 0}, uniform), 1);
    EXPECT_EQ(SampleToken(logits, {.temperature = 0, .top_k = 3, .top_p = 0.5}, uniform), 1);
    EXPECT_EQ(SampleToken(logits, {.top_k = 1}, uniform), 1);
    EXPECT_EQ(SampleToken(logits, {.top_p = 1e-9}, uniform), 1);
    EXPECT_EQ(SampleToken(logits, {.temperature = 1e-300, .top_k = 1}, uniform), 1);
  }
}

TEST(SampleTokenTest, TiesGoToTheLowerIndex) {
  const std::vector<float> logits(6, 0.25f);
  EXPECT_THAT(Frequencies(logits, {.top_k = 4}),
              ElementsAre(::testing::DoubleNear(0.25, 1e-9), ::testing::DoubleNear(0.25, 1e-9),
                          ::testing::DoubleNear(0.25, 1e-9), ::testing::DoubleNear(0.25, 1e-9), 0, 0));
  // Three sixths are exactly a half. A little more needs a fourth.
  EXPECT_EQ(SampleToken(logits, {.top_p = 0.5}, kBelowOne), 2);
  EXPECT_EQ(SampleToken(logits, {.top_p = 0.50001}, kBelowOne), 3);
}

TEST(SampleTokenTest, TheShareIsThatOfTheTopK) {
  // Probabilities 1/2, 1/4, 1/8, 1/8; among the top two 2/3 and 1/3.
  const float step = std::log(2.0f);
  const std::vector<float> logits{3 * step, 2 * step, step, step};
  EXPECT_EQ(SampleToken(logits, {.top_p = 0.6}, kBelowOne), 1);
  EXPECT_EQ(SampleToken(logits, {.top_k = 2, .top_p = 0.6}, kBelowOne), 0);
}

TEST(SampleTokenTest, TheEndsOfTheIntervalDrawOnlyWhatIsPossible) {
  const std::vector<float> logits{-kInf, -1e30f, 1, 2, -kInf, -3e38f};
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{.top_k = 5}, SamplingOptions{.top_p = 0.999},
        SamplingOptions{.temperature = 1e-3}, SamplingOptions{.temperature = 10}}) {
    EXPECT_GE(SampleToken(logits, options, 0.0), 2);
    EXPECT_EQ(SampleToken(logits, options, kBelowOne), 3);
  }
}

TEST(SampleTokenTest, LargeLogitsDoNotOverflow) {
  EXPECT_EQ(SampleToken(std::vector<float>{3e38f, -3e38f, 3e38f}, {}, 0.4), 0);
  EXPECT_EQ(SampleToken(std::vector<float>{3e38f, -3e38f, 3e38f}, {.temperature = 1e-300}, 0.6), 2);
}

TEST(SampleTokenTest, BadInputsAreErrors) {
  const std::vector<float> logits{1, 2};
  for (const SamplingOptions& bad :
       {SamplingOptions{.temperature = -1}, SamplingOptions{.temperature = kNan},
        SamplingOptions{.temperature = std::numeric_limits<double>::infinity()}, SamplingOptions{.top_k = -1},
        SamplingOptions{.top_p = 0}, SamplingOptions{.top_p = 1.1}, SamplingOptions{.top_p = kNan}}) {
    EXPECT_THROW(SampleToken(logits, bad, 0.5), Error) << bad.temperature << " " << bad.top_k << " " << bad.top_p;
  }
  for (double uniform : {-0.1, 1.0, kNan}) EXPECT_THROW(SampleToken(logits, {}, uniform), Error) << uniform;
  EXPECT_THAT([&] { SampleToken(logits, {.top_p = 1.5}, 0.5); }, ThrowsMessage<Error>(HasSubstr("top_p 1.5")));
  for (double temperature : {0.0, 1.0}) {
    const auto sample = [&](const std::vector<float>& bad) { SampleToken(bad, {.temperature = temperature}, 0.5); };
    EXPECT_THAT([&] { sample({}); }, ThrowsMessage<Error>(HasSubstr("no logits")));
    EXPECT_THAT([&] { sample({1, static_cast<float>(kNan)}); }, ThrowsMessage<Error>(HasSubstr("logit 1")));
    EXPECT_THAT([&] { sample({kInf, 1}); }, ThrowsMessage<Error>(HasSubstr("logit 0")));
    EXPECT_THAT([&] { sample({-kInf, -kInf}); }, ThrowsMessage<Error>(HasSubstr("all 2 logits are -inf")));
  }
}

}  // namespace
}  // namespace twofour::nn
