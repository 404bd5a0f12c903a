#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/case_tables.h"
#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

/// A config of 100 steps that is valid if its sparsity is.
proto::Config WithSparsity(const std::string& sparsity) {
  return WithDefaults(ParseTextConfig(
      "name: 'x' model { mlp {} } data { glyphs {} } training { steps: 100 } sparsity { " + sparsity + " }", "c"));
}

class GoodSparsityTest : public ::testing::TestWithParam<const char*> {};

TEST_P(GoodSparsityTest, IsAccepted) { EXPECT_NO_THROW(ValidateConfig(WithSparsity(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(
    All, GoodSparsityTest,
    ::testing::Values(
        "", "enabled: true", "algorithm: SIGNED_GREEDY", "algorithm: RANDOM", "apply: false",
        "algorithm: ROWS rows { keep: 4 of: 8 } soft_threshold: true",
        "algorithm: ROWS soft_threshold: true schedule { begin { step: 0 } }",
        "algorithm: ROWS rows { keep: 1 of: 32 } multiple_of: 32", "algorithm: ROWS rows { keep: 4 of: 4 }",
        "schedule { begin { step: 0 } }", "schedule { begin { step: 100 } }", "schedule { begin { fraction: 1 } }",
        "schedule { shape: LINEAR end { step: 100 } }", "schedule { shape: LINEAR begin { step: 9 } end { step: 9 } }",
        "schedule { shape: CUBIC begin { fraction: 0.1 } end { fraction: 0.9 } order: RANDOM }",
        "schedule { shape: EXPONENTIAL end { step: 50 } rate: 100 from: 1 to: 0 }",
        "schedule { shape: PIECEWISE points { at { step: 0 } share: 0 } points { at { fraction: 0.5 } share: 1 } }",
        "schedule { shape: PIECEWISE points { at { step: 3 } share: 1 } } dense_warmup: 0.5",
        "stages { begin { step: 10 } keep: 3 } stages { begin { step: 20 } keep: 2 } nested_stages: true",
        "stages { begin { step: 0 } keep: 4 } stages { begin { fraction: 0.5 } keep: 1 }",
        "dense_warmup: 0.3 dense_finish: 0.3", "dense_warmup: 0.99", "dense_finish: 0.99",
        "dense_warmup: 0.1 schedule { shape: COSINE begin { step: 10 } end { step: 90 } } dense_finish: 0.1",
        "freeze { step: 0 }", "freeze { step: 100 } freeze_gradient: true", "dense_warmup: 0.1 freeze { step: 10 }",
        "interval: 10 freeze { step: 10 }", "interval_growth: 1", "interval_growth: 0.1 freeze { step: 50 }",
        "schedule { shape: LINEAR end { step: 50 } } freeze { step: 50 }",
        "stages { begin { step: 50 } } freeze { fraction: 0.5 }",
        "masked_decay { lambda: 2e-4 place: MOMENTS } freeze { step: 5 }", "algorithm: ROWS rows { of: 6 }",
        "algorithm: ROWS rows { keep: 3 of: 5 } multiple_of: 1", "algorithm: PATTERN pattern: '4:8'",
        "algorithm: PATTERN pattern: 'transposable:1:4'", "algorithm: PATTERN pattern: 'rows:64:2:8'",
        "algorithm: PATTERN pattern: 'unstructured:0.8' schedule { shape: CUBIC end { fraction: 0.9 } } interval: 5",
        "algorithm: PATTERN pattern: 'block:16x16:0.5' multiple_of: 1 freeze { step: 0 } freeze_gradient: true",
        "algorithm: PATTERN pattern: '2:4' layers { name: 'layers.0' pattern: '1:4' }"));

using BadSparsity = test::RefusedText;

class BadSparsityTest : public ::testing::TestWithParam<BadSparsity> {};

TEST_P(BadSparsityTest, IsRejectedWithOneLine) {
  EXPECT_ERROR(ValidateConfig(WithSparsity(GetParam().text)), ErrorKind::kInvalidInput,
               "config: sparsity." + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Schedule, BadSparsityTest,
    ::testing::Values(
        BadSparsity{"schedule { shape: LINEAR }", "schedule.end: missing, expected { step: N } or { fraction: F }"},
        BadSparsity{"schedule { shape: CUBIC begin { step: 3 } }",
                    "schedule.end: missing, expected { step: N } or { fraction: F }"},
        BadSparsity{"schedule { shape: LINEAR begin { step: 51 } end { step: 50 } }",
                    "schedule.end: step 50, expected at least the begin, which is step 51"},
        BadSparsity{"schedule { shape: LINEAR begin { fraction: 0.6 } end { step: 50 } }",
                    "schedule.end: step 50, expected at least the begin, which is step 60"},
        BadSparsity{"schedule { begin { step: 101 } }", "schedule.begin.step: 101, expected 0 to 100"},
        BadSparsity{"schedule { begin { step: -1 } }", "schedule.begin.step: -1, expected 0 to 100"},
        BadSparsity{"schedule { begin { fraction: 1.5 } }", "schedule.begin.fraction: 1.5, expected 0 to 1"},
        BadSparsity{"schedule { begin { fraction: nan } }", "schedule.begin.fraction: nan, expected 0 to 1"},
        BadSparsity{"schedule { shape: LINEAR end { step: 101 } }", "schedule.end.step: 101, expected 0 to 100"},
        BadSparsity{"schedule { shape: LINEAR end { fraction: -inf } }",
                    "schedule.end.fraction: -inf, expected 0 to 1"},
        BadSparsity{"schedule { end { step: 5 } }",
                    "schedule.end: given, expected none for CONSTANT, which changes at once"},
        BadSparsity{"schedule { from: -0.1 }", "schedule.from: -0.1, expected 0 to 1"},
        BadSparsity{"schedule { from: nan }", "schedule.from: nan, expected 0 to 1"},
        BadSparsity{"schedule { to: 1.1 }", "schedule.to: 1.1, expected 0 to 1"},
        BadSparsity{"schedule { to: nan }", "schedule.to: nan, expected 0 to 1"},
        BadSparsity{"schedule { shape: EXPONENTIAL end { step: 9 } rate: 0 }",
                    "schedule.rate: 0, expected a number above 0, at most 100"},
        BadSparsity{"schedule { shape: EXPONENTIAL end { step: 9 } rate: 101 }",
                    "schedule.rate: 101, expected a number above 0, at most 100"},
        BadSparsity{"schedule { shape: EXPONENTIAL end { step: 9 } rate: nan }",
                    "schedule.rate: nan, expected a number above 0, at most 100"},
        BadSparsity{"schedule { points { at { step: 1 } share: 1 } }",
                    "schedule.points: 1 of them, expected none but for PIECEWISE"}));

INSTANTIATE_TEST_SUITE_P(
    Points, BadSparsityTest,
    ::testing::Values(
        BadSparsity{"schedule { shape: PIECEWISE }", "schedule.points: missing, expected at least one for PIECEWISE"},
        BadSparsity{"schedule { shape: PIECEWISE begin { step: 1 } points { at { step: 1 } share: 1 } }",
                    "schedule.begin: given, expected none for PIECEWISE, whose points say when"},
        BadSparsity{"schedule { shape: PIECEWISE end { step: 1 } points { at { step: 1 } share: 1 } }",
                    "schedule.end: given, expected none for PIECEWISE, whose points say when"},
        BadSparsity{"schedule { shape: PIECEWISE points { share: 1 } }",
                    "schedule.points[0].at: missing, expected { step: N } or { fraction: F }"},
        BadSparsity{"schedule { shape: PIECEWISE points { at { step: 7 } } }",
                    "schedule.points[0].share: missing, expected 0 to 1"},
        BadSparsity{"schedule { shape: PIECEWISE points { at { step: 7 } share: 1.5 } }",
                    "schedule.points[0].share: 1.5, expected 0 to 1"},
        BadSparsity{"schedule { shape: PIECEWISE points { at { step: 7 } share: nan } }",
                    "schedule.points[0].share: nan, expected 0 to 1"},
        BadSparsity{"schedule { shape: PIECEWISE points { at { step: 101 } share: 1 } }",
                    "schedule.points[0].at.step: 101, expected 0 to 100"},
        BadSparsity{
            "schedule { shape: PIECEWISE points { at { step: 7 } share: 0 } points { at { step: 7 } share: 1 } }",
            "schedule.points[1].at: step 7, expected a step after that of the point before, which is 7"},
        BadSparsity{"schedule { shape: PIECEWISE points { at { step: 7 } share: 0 } "
                    "points { at { fraction: 0.05 } share: 1 } }",
                    "schedule.points[1].at: step 5, expected a step after that of the point before, which is 7"}));

INSTANTIATE_TEST_SUITE_P(
    Stages, BadSparsityTest,
    ::testing::Values(BadSparsity{"stages { keep: 3 }",
                                  "stages[0].begin: missing, expected { step: N } or { fraction: F }"},
                      BadSparsity{"stages { begin { step: 101 } }", "stages[0].begin.step: 101, expected 0 to 100"},
                      BadSparsity{"stages { begin { step: 1 } keep: 5 }", "stages[0].keep: 5, expected 1 to 4"},
                      BadSparsity{"stages { begin { step: 1 } keep: 0 }", "stages[0].keep: 0, expected 1 to 4"},
                      BadSparsity{"stages { begin { step: 1 } keep: 2 } stages { begin { step: 5 } keep: 2 }",
                                  "stages[1].keep: 2, expected 1: each stage keeps fewer than the one before"},
                      BadSparsity{"stages { begin { step: 1 } keep: 1 } stages { begin { step: 5 } keep: 1 }",
                                  "stages[1].keep: 1, expected no stage after one that keeps 1"},
                      BadSparsity{"stages { begin { step: 5 } keep: 3 } stages { begin { step: 5 } keep: 2 }",
                                  "stages[1].begin: step 5, expected a step after the stage before, which begins at 5"},
                      BadSparsity{"algorithm: GREEDY stages { begin { step: 5 } }",
                                  "stages: with algorithm GREEDY, expected EXACT for N-decay"},
                      BadSparsity{"nested_stages: true", "nested_stages: true, expected false without stages"}));

INSTANTIATE_TEST_SUITE_P(
    StagesOfVnm, BadSparsityTest,
    ::testing::Values(
        BadSparsity{"algorithm: VNM vnm { m: 16 } stages { m: 16 }",
                    "stages[0].begin: missing, expected { step: N } or { fraction: F }"},
        BadSparsity{"algorithm: VNM vnm { m: 16 } stages { begin { step: -3 } m: 16 }",
                    "stages[0].begin.step: -3, expected 0 to 100"},
        BadSparsity{"algorithm: VNM vnm { m: 16 } stages { begin { step: 500 } m: 16 }",
                    "stages[0].begin.step: 500, expected 0 to 100"},
        BadSparsity{"algorithm: VNM vnm { m: 16 } stages { begin { step: 3 } keep: 3 }",
                    "stages[0].keep: 3, expected none for VNM, whose stages have m"},
        BadSparsity{
            "algorithm: VNM vnm { m: 16 } stages { begin { step: 3 } m: 8 } stages { begin { step: 30 } m: 16 } "
            "freeze { step: 10 }",
            "stages: to step 30, expected to 10 at most, where masks are frozen"},
        BadSparsity{
            "algorithm: VNM vnm { m: 16 } stages { begin { step: 3 } m: 8 } stages { begin { step: 30 } m: 16 } "
            "dense_warmup: 0.2",
            "stages[0].begin: step 3, expected at least 20, where the dense warm-up ends: the two overlap"},
        BadSparsity{"algorithm: VNM vnm { m: 16 } stages { begin { step: 91 } m: 16 } dense_finish: 0.1",
                    "stages: to step 91, expected to 90 at most, where the dense finish begins: the two overlap"}));

INSTANTIATE_TEST_SUITE_P(
    DensePhases, BadSparsityTest,
    ::testing::Values(
        BadSparsity{"dense_warmup: 1", "dense_warmup: 1, expected a number in [0, 1)"},
        BadSparsity{"dense_warmup: -0.1", "dense_warmup: -0.1, expected a number in [0, 1)"},
        BadSparsity{"dense_warmup: nan", "dense_warmup: nan, expected a number in [0, 1)"},
        BadSparsity{"dense_finish: 1", "dense_finish: 1, expected a number in [0, 1)"},
        BadSparsity{"dense_finish: nan", "dense_finish: nan, expected a number in [0, 1)"},
        BadSparsity{"dense_warmup: 0.5 dense_finish: 0.75",
                    "dense_finish: 0.75, expected less than 1 - dense_warmup, which is 0.5: the two overlap"},
        BadSparsity{"dense_warmup: 0.5 dense_finish: 0.5",
                    "dense_finish: 0.5, expected less than 1 - dense_warmup, which is 0.5: the two overlap"},
        BadSparsity{
            "dense_warmup: 0.5 dense_finish: 0.499",
            "dense_finish: 0.499, expected a sparse step between the dense phases: they meet at step 50 of 100"},
        BadSparsity{"dense_warmup: 0.999",
                    "dense_warmup: 0.999, expected a sparse step after it: it ends at step 100 of 100"},
        BadSparsity{"dense_warmup: 0.1 schedule { begin { step: 9 } }",
                    "schedule.begin: step 9, expected at least 10, where the dense warm-up ends: the two overlap"},
        BadSparsity{"dense_warmup: 0.1 schedule { shape: LINEAR end { step: 50 } }",
                    "schedule.begin: step 0, expected at least 10, where the dense warm-up ends: the two overlap"},
        BadSparsity{
            "dense_warmup: 0.1 schedule { shape: PIECEWISE points { at { step: 5 } share: 0 } "
            "points { at { step: 50 } share: 1 } }",
            "schedule.points[0].at: step 5, expected at least 10, where the dense warm-up ends: the two overlap"},
        BadSparsity{"dense_finish: 0.1 schedule { shape: LINEAR end { step: 91 } }",
                    "schedule: to step 91, expected to 90 at most, where the dense finish begins: the two overlap"},
        BadSparsity{"dense_finish: 0.1 stages { begin { step: 91 } }",
                    "stages: to step 91, expected to 90 at most, where the dense finish begins: the two overlap"},
        BadSparsity{"dense_warmup: 0.1 stages { begin { step: 9 } }",
                    "stages[0].begin: step 9, expected at least 10, where the dense warm-up ends: the two overlap"},
        BadSparsity{
            "algorithm: ROWS soft_threshold: true schedule { shape: LINEAR end { step: 9 } }",
            "soft_threshold: true, expected false beside a schedule: its scale is found once, when all is pruned"},
        BadSparsity{"target: ACTIVATION dense_finish: 0.5",
                    "dense_finish: 0.5, expected 0 for target ACTIVATION: it is for masks of weights"},
        BadSparsity{"target: ACTIVATION masked_decay { lambda: 1 }",
                    "masked_decay: given, expected none for target ACTIVATION: it is for masks of weights"},
        BadSparsity{
            "dense_warmup: 0.1 freeze { step: 9 }",
            "freeze: step 9, expected at least 10, where the dense warm-up ends: nothing would ever be masked"}));

INSTANTIATE_TEST_SUITE_P(
    Freeze, BadSparsityTest,
    ::testing::Values(
        BadSparsity{"freeze { step: 101 }", "freeze.step: 101, expected 0 to 100"},
        BadSparsity{"freeze { fraction: nan }", "freeze.fraction: nan, expected 0 to 1"},
        BadSparsity{"freeze_gradient: true", "freeze_gradient: true, expected false without freeze"},
        BadSparsity{"schedule { shape: LINEAR end { step: 51 } } freeze { step: 50 }",
                    "schedule: to step 51, expected to 50 at most, where masks are frozen"},
        BadSparsity{"schedule { begin { step: 51 } } freeze { step: 50 }",
                    "schedule: to step 51, expected to 50 at most, where masks are frozen"},
        BadSparsity{"schedule { shape: PIECEWISE points { at { step: 60 } share: 1 } } freeze { step: 50 }",
                    "schedule: to step 60, expected to 50 at most, where masks are frozen"},
        BadSparsity{"stages { begin { step: 51 } } freeze { step: 50 }",
                    "stages: to step 51, expected to 50 at most, where masks are frozen"},
        BadSparsity{"interval: 10 freeze { step: 9 }",
                    "interval: 10, expected 1, or masks that freeze at step 10 or later, not 9: the first is the last"},
        BadSparsity{
            "interval: 10 dense_warmup: 0.5 freeze { step: 55 }",
            "interval: 10, expected 1, or masks that freeze at step 60 or later, not 55: the first is the last"},
        BadSparsity{"interval_growth: 0.1 freeze { step: 0 }",
                    "interval_growth: 0.1, expected 0, or masks that freeze later than step 0: the first is the last"},
        BadSparsity{"interval: 0", "interval: 0, expected 1 to 1099511627776"},
        BadSparsity{"interval_growth: -1", "interval_growth: -1, expected 0 to 1"},
        BadSparsity{"interval_growth: nan", "interval_growth: nan, expected 0 to 1"}));

INSTANTIATE_TEST_SUITE_P(
    Rows, BadSparsityTest,
    ::testing::Values(
        BadSparsity{"algorithm: ROWS rows { keep: 5 of: 4 }", "rows.keep: 5, expected 1 to rows.of, which is 4"},
        BadSparsity{"algorithm: ROWS rows { keep: 0 of: 4 }", "rows.keep: 0, expected 1 to rows.of, which is 4"},
        BadSparsity{"algorithm: ROWS rows { keep: 2 of: 33 }", "rows.of: 33, expected 1 to 32"},
        BadSparsity{"algorithm: ROWS rows { keep: 40 of: 33 }",
                    "rows.of: 33, expected 1 to 32\n"
                    "config: sparsity.rows.keep: 40, expected 1 to 32"},
        BadSparsity{"rows { keep: 4 of: 8 }", "rows: 4:8, expected none but for ROWS"},
        BadSparsity{"pattern: '2:4'", "pattern: '2:4', expected none but for PATTERN"},
        BadSparsity{"layers { name: 'x' pattern: '2:4' }", "layers: given, expected none but for PATTERN"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' vnm { m: 16 }", "vnm: 64:2:16, expected none but for VNM"},
        BadSparsity{"algorithm: PATTERN pattern: '4:2'", "pattern: pattern 4:2: n is 4, expected 1"},
        BadSparsity{"algorithm: PATTERN pattern: 'unstructured:1.5'",
                    "pattern: pattern unstructured:1.5: sparsity is 1.5, expected a number in [0, 1]"},
        BadSparsity{
            "algorithm: PATTERN pattern: 'unstructured:0.5:model'",
            "pattern: unstructured:0.5:model, expected a scope within one weight, because each finds its mask by "
            "itself in training"},
        BadSparsity{"algorithm: PATTERN pattern: '64:2:8' schedule { to: 0.5 }",
                    "schedule: a share of tiles, expected none beside 64:2:8"},
        BadSparsity{"algorithm: PATTERN pattern: 'unstructured:0.5' schedule { order: RANDOM }",
                    "schedule.order: RANDOM, expected LEAST_LOSS for a budget: there are no tiles"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' stages { begin { step: 3 } }",
                    "stages: with algorithm PATTERN, expected EXACT for N-decay"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' layers { pattern: '1:4' }",
                    "layers[0].name: missing, expected the dotted name of a linear"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' layers { name: 'a' pattern: '1:4' } "
                    "layers { name: 'a' pattern: '1:4' }",
                    "layers[1].name: a, expected each name once"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' layers { name: 'a' pattern: '5:4' }",
                    "layers[0].pattern: pattern 5:4: n is 5, expected 1 to 3"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' multiple_of: 1 layers { name: 'a' pattern: '64:2:8' }",
                    "multiple_of: 1, expected a multiple of 4 from 4 to 1048576"},
        BadSparsity{"algorithm: PATTERN pattern: '2:4' schedule { to: 0.5 } layers { name: 'a' pattern: '64:2:8' }",
                    "schedule: a share of tiles, expected none beside 64:2:8"},
        BadSparsity{"soft_threshold: true", "soft_threshold: true, expected false but for ROWS"},
        BadSparsity{"target: ACTIVATION algorithm: RANDOM",
                    "algorithm: RANDOM, expected EXACT or GREEDY for activations"},
        BadSparsity{"target: ACTIVATION algorithm: SIGNED_GREEDY",
                    "algorithm: SIGNED_GREEDY, expected EXACT or GREEDY for activations"},
        BadSparsity{"masked_decay { lambda: -1 }", "masked_decay.lambda: -1, expected a finite number of at least 0"},
        BadSparsity{"masked_decay { lambda: inf }", "masked_decay.lambda: inf, expected a finite number of at least 0"},
        BadSparsity{"masked_decay { lambda: nan }",
                    "masked_decay.lambda: nan, expected a finite number of at least 0"}));

class ShortRunTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ShortRunTest, FractionsFitARunOfAnyLength) {
  for (int64_t steps = 3; steps <= 1000; steps = steps < 40 ? steps + 1 : 2 * steps) {
    proto::Config config = WithSparsity(std::string("enabled: true ") + GetParam());
    config.mutable_training()->set_steps(steps);
    ASSERT_NO_THROW(ValidateConfig(config)) << steps;
    ASSERT_NO_THROW(BuildSwapOptions(config)) << steps;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ShortRunTest,
    ::testing::Values(
        "dense_warmup: 0.001", "dense_finish: 0.001", "dense_warmup: 0.1 dense_finish: 0.1",
        "dense_warmup: 0.05 freeze { fraction: 0.05 }",
        "dense_warmup: 0.1 schedule { shape: LINEAR begin { fraction: 0.1 } end { fraction: 0.85 } } dense_finish: "
        "0.15",
        "schedule { shape: CUBIC begin { fraction: 0.11 } end { fraction: 0.12 } } freeze { fraction: 0.12 }",
        "dense_finish: 0.15 stages { begin { fraction: 0.8 } keep: 3 } stages { begin { fraction: 0.85 } keep: 2 }",
        "stages { begin { fraction: 0.1 } keep: 3 } stages { begin { fraction: 0.101 } keep: 2 }",
        "schedule { shape: PIECEWISE points { at { fraction: 0.1 } share: 0 } points { at { fraction: 0.11 } share: "
        "0.5 } "
        "points { at { fraction: 0.12 } share: 1 } }",
        "interval: 10 freeze { fraction: 0.3 }", "interval_growth: 0.1 freeze { fraction: 0.01 }"));

TEST(ShortRunTest, KeepsTheLastOfWhatBeginsInOneStep) {
  proto::Config config =
      WithSparsity("stages { begin { fraction: 0.1 } keep: 3 } stages { begin { fraction: 0.101 } keep: 2 }");
  config.mutable_training()->set_steps(10);
  const auto stages = BuildSwapOptions(config).sparsity.plan.options().stages;
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].step, 1);
  EXPECT_EQ(stages[0].keep, 2);
}

TEST(ShortRunTest, DensePhasesTakeAStepAtLeast) {
  proto::Config config = WithSparsity("dense_warmup: 0.01 dense_finish: 0.02 freeze { fraction: 0.01 }");
  config.mutable_training()->set_steps(10);
  const nn::SemiSparseOptions sparsity = BuildSwapOptions(config).sparsity;
  EXPECT_EQ(sparsity.plan.options().first_sparse_step, 1);
  EXPECT_EQ(sparsity.plan.options().dense_from_step, 9);
  EXPECT_EQ(sparsity.freeze_step, 1);  // The freeze must not be before the first mask.
}

TEST(ValidateSparsityTest, AMomentOutsideTheRunIsOneFaultAndComparedWithNone) {
  EXPECT_ERROR(
      ValidateConfig(WithSparsity("stages { begin { step: 50 } keep: 3 } stages { begin { step: 101 } keep: 2 } "
                                  "stages { begin { step: 20 } keep: 1 }")),
      ErrorKind::kInvalidInput, "config: sparsity.stages[1].begin.step: 101, expected 0 to 100");
  EXPECT_ERROR(
      ValidateConfig(WithSparsity("schedule { shape: EXPONENTIAL begin { fraction: 2 } end { step: 3 } rate: 0 }")),
      ErrorKind::kInvalidInput,
      "config: sparsity.schedule.begin.fraction: 2, expected 0 to 1\n"
      "config: sparsity.schedule.rate: 0, expected a number above 0, at most 100");
}

TEST(ValidateSparsityTest, ABrokenPatternIsNotMeasuredAgainst) {
  EXPECT_ERROR(ValidateConfig(WithSparsity("algorithm: ROWS rows { keep: 2 of: 33 } soft_threshold: true")),
               ErrorKind::kInvalidInput, "config: sparsity.rows.of: 33, expected 1 to 32");
}

TEST(ValidateSparsityTest, SaysEveryFaultOnALineOfItsOwn) {
  EXPECT_ERROR(ValidateConfig(WithSparsity("schedule { from: 2 to: 3 } freeze { step: 200 } interval: 0")),
               ErrorKind::kInvalidInput,
               "config: sparsity.schedule.from: 2, expected 0 to 1\n"
               "config: sparsity.schedule.to: 3, expected 0 to 1\n"
               "config: sparsity.freeze.step: 200, expected 0 to 100\n"
               "config: sparsity.interval: 0, expected 1 to 1099511627776");
}

}  // namespace
}  // namespace twofour::train
