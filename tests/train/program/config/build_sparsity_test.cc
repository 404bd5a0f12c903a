#include "twofour/train/program/config/build_sparsity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/random.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using sparse::MaskMethod;
using sparse::ScheduleShape;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::MatchesRegex;

proto::Config ConfigOf(const std::string& sparsity, const std::string& rest = "training { steps: 200 }") {
  return WithDefaults(
      ParseTextConfig("name: 'x' model { mlp {} } data { glyphs {} } " + rest + " sparsity { " + sparsity + " }", "c"));
}

nn::SwapOptions Build(const std::string& sparsity) {
  const proto::Config config = ConfigOf(sparsity);
  ValidateConfig(config);
  return BuildSwapOptions(config);
}

const sparse::MaskPlanOptions& PlanOf(const nn::SwapOptions& options) { return options.sparsity.plan.options(); }

TEST(BuildSwapOptionsTest, DefaultsMeanTheExactMaskAfterEveryStep) {
  const nn::SwapOptions options = Build("enabled: true");
  EXPECT_EQ(options.include, R"((.*\.)?(mlp|layers)\..*)");
  EXPECT_EQ(options.exclude, "");
  EXPECT_EQ(options.multiple_of, 16);
  EXPECT_EQ(options.target, nn::SwapTarget::kWeight);
  const nn::SemiSparseOptions& sparsity = options.sparsity;
  EXPECT_TRUE(sparsity.plan.AlwaysTwoOfFour());
  EXPECT_EQ(PlanOf(options).method, MaskMethod::kExact);
  EXPECT_EQ(sparsity.interval, 1);
  EXPECT_EQ(sparsity.interval_growth, 0);
  EXPECT_EQ(sparsity.freeze_step, std::nullopt);
  EXPECT_FALSE(sparsity.freeze_gradient);
  EXPECT_EQ(sparsity.masked_decay.lambda, 0);
  EXPECT_FALSE(sparsity.soft_threshold);
  EXPECT_TRUE(sparsity.apply);
  EXPECT_TRUE(sparsity.fused_mlp);
  // A layer with these options has the exact mask at every step.
  nn::SemiSparseLinear layer(test::RandomF32({16, 16}, {.seed = 1}), Tensor(), sparsity);
  for (uint64_t step = 0; step < 5; ++step) {
    layer.SetOptimizerStep(static_cast<int64_t>(step));
    EXPECT_EQ(layer.mask(), FindMask(layer.weight(), sparse::MaskMethod::kExact)) << step;
    Tensor weight = layer.weight();
    FillUniform(weight, -1, 1, {.seed = 2, .step = step});
  }
}

TEST(BuildSwapOptionsTest, SaysWhichLinears) {
  const nn::SwapOptions options = Build("include: 'a.*' exclude: 'b' multiple_of: 32 fused_mlp: false");
  EXPECT_EQ(options.include, "a.*");
  EXPECT_EQ(options.exclude, "b");
  EXPECT_EQ(options.multiple_of, 32);
  EXPECT_FALSE(options.sparsity.fused_mlp);
}

TEST(BuildSwapOptionsTest, Activations) {
  EXPECT_EQ(Build("target: ACTIVATION").target, nn::SwapTarget::kActivation);
  EXPECT_EQ(Build("target: ACTIVATION").activation_method, sparse::MaskMethod::kExact);
  EXPECT_EQ(Build("target: ACTIVATION algorithm: GREEDY").activation_method, sparse::MaskMethod::kGreedy);
}

TEST(BuildSwapOptionsTest, Algorithms) {
  EXPECT_EQ(PlanOf(Build("algorithm: EXACT")).method, MaskMethod::kExact);
  EXPECT_EQ(PlanOf(Build("algorithm: GREEDY")).method, MaskMethod::kGreedy);
  EXPECT_EQ(PlanOf(Build("algorithm: SIGNED_GREEDY")).method, MaskMethod::kSignedGreedy);
  EXPECT_EQ(PlanOf(Build("algorithm: RANDOM")).method, MaskMethod::kRandom);
  const nn::SwapOptions rows = Build("algorithm: ROWS rows { keep: 3 of: 8 } soft_threshold: true");
  EXPECT_EQ(PlanOf(rows).method, MaskMethod::kRows);
  EXPECT_EQ(PlanOf(rows).rows.keep, 3);
  EXPECT_EQ(PlanOf(rows).rows.of, 8);
  EXPECT_TRUE(rows.sparsity.soft_threshold);
  EXPECT_EQ(PlanOf(Build("algorithm: ROWS")).rows.keep, 2);
  EXPECT_EQ(PlanOf(Build("algorithm: ROWS")).rows.of, 4);
}

TEST(BuildSwapOptionsTest, Schedules) {
  const std::vector<std::pair<const char*, ScheduleShape>> shapes = {{"LINEAR", ScheduleShape::kLinear},
                                                                     {"CUBIC", ScheduleShape::kCubic},
                                                                     {"SMOOTHSTEP", ScheduleShape::kSmoothstep},
                                                                     {"EXPONENTIAL", ScheduleShape::kExponential},
                                                                     {"COSINE", ScheduleShape::kCosine}};
  for (const auto& [name, shape] : shapes) {
    const nn::SwapOptions options =
        Build(std::string("schedule { begin { step: 20 } end { fraction: 0.505 } from: 0.25 to: 0.75 shape: ") + name +
              " order: RANDOM }");
    EXPECT_EQ(PlanOf(options).order, sparse::TileOrder::kRandom);
    const sparse::SparsityScheduleOptions& schedule = PlanOf(options).schedule.options();
    EXPECT_EQ(schedule.shape, shape);
    EXPECT_EQ(schedule.begin_step, 20);
    EXPECT_EQ(schedule.end_step, 101);
    EXPECT_EQ(schedule.from, 0.25);
    EXPECT_EQ(schedule.to, 0.75);
  }
  EXPECT_EQ(PlanOf(Build("schedule { shape: EXPONENTIAL end { step: 9 } rate: 7 }")).schedule.options().rate, 7);
  const nn::SwapOptions options = Build("schedule { begin { step: 20 } from: 0.25 to: 0.75 }");
  EXPECT_EQ(PlanOf(options).order, sparse::TileOrder::kLeastLoss);
  EXPECT_EQ(options.sparsity.plan.ShareAt(19), 0.25);
  EXPECT_EQ(options.sparsity.plan.ShareAt(20), 0.75);
}

TEST(BuildSwapOptionsTest, Points) {
  const nn::SwapOptions options = Build(
      "schedule { shape: PIECEWISE points { at { step: 7 } share: 0.5 } points { at { fraction: 0.5 } share: 0.25 } }");
  const sparse::SparsityScheduleOptions& schedule = PlanOf(options).schedule.options();
  EXPECT_EQ(schedule.shape, ScheduleShape::kPiecewise);
  EXPECT_THAT(schedule.points,
              ElementsAre(AllOf(Field(&sparse::SchedulePoint::step, 7), Field(&sparse::SchedulePoint::share, 0.5)),
                          AllOf(Field(&sparse::SchedulePoint::step, 100), Field(&sparse::SchedulePoint::share, 0.25))));
}

TEST(BuildSwapOptionsTest, StagesAndDensePhases) {
  const nn::SwapOptions options = Build(
      "stages { begin { step: 50 } keep: 3 } stages { begin { fraction: 0.5 } } nested_stages: true "
      "dense_warmup: 0.1 dense_finish: 0.25");
  EXPECT_THAT(PlanOf(options).stages,
              ElementsAre(AllOf(Field(&sparse::MaskStage::step, 50), Field(&sparse::MaskStage::keep, 3)),
                          AllOf(Field(&sparse::MaskStage::step, 100), Field(&sparse::MaskStage::keep, 2))));
  EXPECT_TRUE(PlanOf(options).nested_stages);
  EXPECT_EQ(PlanOf(options).first_sparse_step, 20);
  EXPECT_EQ(PlanOf(options).dense_from_step, 150);
  EXPECT_EQ(PlanOf(Build("")).dense_from_step, std::numeric_limits<int64_t>::max());
}

TEST(BuildSwapOptionsTest, RefreshFreezeAndDecay) {
  const nn::SemiSparseOptions options = Build(
                                            "interval: 5 interval_growth: 0.5 freeze { fraction: 0.5 } "
                                            "freeze_gradient: true apply: false")
                                            .sparsity;
  EXPECT_EQ(options.interval, 5);
  EXPECT_EQ(options.interval_growth, 0.5);
  EXPECT_EQ(options.freeze_step, 100);
  EXPECT_TRUE(options.freeze_gradient);
  EXPECT_FALSE(options.apply);
  EXPECT_EQ(Build("freeze { step: 0 }").sparsity.freeze_step, 0);
  using Place = nn::MaskedDecay::Place;
  const std::vector<std::pair<const char*, Place>> places = {
      {"GRADIENT", Place::kGradient}, {"MOMENTS", Place::kMoments}, {"WEIGHT", Place::kWeight}};
  for (const auto& [name, place] : places) {
    const nn::MaskedDecay decay =
        Build(std::string("masked_decay { lambda: 6e-6 place: ") + name + " }").sparsity.masked_decay;
    EXPECT_EQ(decay.lambda, 6e-6);
    EXPECT_EQ(decay.place, place);
  }
}

TEST(BuildSwapOptionsTest, RandomChoicesGoByTheSeed) {
  const RandomKey key = BuildSwapOptions(ConfigOf("", "seed: 5")).sparsity.key;
  const RandomKey other = BuildSwapOptions(ConfigOf("", "seed: 6")).sparsity.key;
  EXPECT_NE(RandomBlock(key, 0), RandomBlock(other, 0));
  EXPECT_EQ(key.stream, other.stream);
}

TEST(StepOfTest, RoundsFractionsToTheNearestStep) {
  proto::When when;
  EXPECT_EQ(StepOf(when, 10, 7), 7);
  when.set_step(3);
  EXPECT_EQ(StepOf(when, 10, 7), 3);
  when.set_fraction(0.34);
  EXPECT_EQ(StepOf(when, 10, 7), 3);
  when.set_fraction(0.36);
  EXPECT_EQ(StepOf(when, 10, 7), 4);
  when.set_fraction(1);
  EXPECT_EQ(StepOf(when, 10, 7), 10);
}

/// Makes random Sparsity messages. Some of them are valid.
class Messages {
 public:
  explicit Messages(uint64_t seed) : random_({.seed = seed}) {}

  bool Once(uint32_t in) { return random_.Below(in) == 0; }

  double Number() {
    constexpr double kOdd[] = {-1, 2, 1e300, std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity()};
    if (Once(60)) return kOdd[random_.Below(std::size(kOdd))];
    constexpr double kRound[] = {0, 0, 0.1, 0.25, 0.4, 0.49, 0.5, 0.75, 0.999};
    return Once(2) ? kRound[random_.Below(std::size(kRound))] : double{random_.Uniform()};
  }

  proto::When Time(int64_t steps, double earliest) {
    proto::When when;
    if (Once(40)) return when;
    const double at = earliest + (1 - earliest) * double{random_.Uniform()};
    if (Once(2)) {
      when.set_fraction(Once(20) ? Number() : at);
    } else {
      when.set_step(Once(30) ? int64_t{random_.Below(1000)} - 100 : std::llround(at * static_cast<double>(steps)));
    }
    return when;
  }

  proto::Sparsity Next(int64_t steps) {
    proto::Sparsity sparsity;
    sparsity.set_enabled(Once(2));
    if (Once(3))
      sparsity.set_algorithm(
          static_cast<proto::Sparsity::Algorithm>(random_.Below(proto::Sparsity::Algorithm_ARRAYSIZE)));
    if (Once(20)) sparsity.set_target(proto::Sparsity::ACTIVATION);
    if (Once(5)) sparsity.set_multiple_of(4 * (1 + int64_t{random_.Below(12)}) - (Once(20) ? 1 : 0));
    if (Once(4)) sparsity.set_interval(int64_t{random_.Below(8)} - (Once(10) ? 3 : -1));
    if (Once(4)) sparsity.set_interval_growth(Number());
    if (Once(4)) {
      sparsity.mutable_rows()->set_of(1 + static_cast<int32_t>(random_.Below(34)));
      sparsity.mutable_rows()->set_keep(1 + static_cast<int32_t>(random_.Below(sparsity.rows().of() + 1)));
    }
    Patterns(sparsity);
    if (Once(6)) sparsity.set_soft_threshold(true);
    if (Once(6)) sparsity.set_apply(false);
    if (Once(3)) sparsity.set_dense_warmup(Number() / 2);
    if (Once(3)) sparsity.set_dense_finish(Number() / 2);
    if (Once(2)) Schedule(steps, *sparsity.mutable_schedule());
    if (Once(4)) Stages(steps, sparsity);
    if (Once(3)) *sparsity.mutable_freeze() = Time(steps, 0.4);
    if (Once(6)) sparsity.set_freeze_gradient(true);
    if (Once(3)) {
      sparsity.mutable_masked_decay()->set_lambda(Number());
      sparsity.mutable_masked_decay()->set_place(static_cast<proto::MaskedDecay::Place>(random_.Below(3)));
    }
    return sparsity;
  }

 private:
  void Patterns(proto::Sparsity& sparsity) {
    constexpr const char* kTexts[] = {"2:4",
                                      "3:5",
                                      "transposable:1:4",
                                      "32:2:8",
                                      "unstructured:0.7",
                                      "block:3x5:0.4",
                                      "9:8",
                                      "spam",
                                      "",
                                      "unstructured:0.5:row",
                                      "unstructured:0.5:model"};
    const auto text = [&] { return kTexts[random_.Below(std::size(kTexts))]; };
    if (Once(30) || (sparsity.algorithm() == proto::Sparsity::PATTERN && !Once(10))) sparsity.set_pattern(text());
    for (uint32_t i = Once(4) ? random_.Below(3) : 0; i > 0 && sparsity.algorithm() == proto::Sparsity::PATTERN; --i) {
      proto::LayerPattern& layer = *sparsity.add_layers();
      layer.set_name(Once(20) ? "" : Once(10) ? "same" : "layers." + std::to_string(i));
      layer.set_pattern(text());
    }
  }

  void Schedule(int64_t steps, proto::SparsitySchedule& schedule) {
    schedule.set_shape(static_cast<proto::SparsitySchedule::Shape>(random_.Below(7)));
    if (schedule.shape() == proto::SparsitySchedule::PIECEWISE || Once(20)) {
      double earliest = 0;
      for (uint32_t i = random_.Below(4); i > 0; --i) {
        proto::SparsitySchedule::Point& point = *schedule.add_points();
        *point.mutable_at() = Time(steps, earliest);
        if (!Once(20)) point.set_share(Number());
        earliest = static_cast<double>(StepOf(point.at(), steps, 0)) / static_cast<double>(steps);
        earliest = std::clamp(earliest, 0.0, 1.0);
      }
    }
    if (schedule.shape() != proto::SparsitySchedule::PIECEWISE || Once(20)) {
      if (Once(2)) *schedule.mutable_begin() = Time(steps, 0);
      if (schedule.shape() != proto::SparsitySchedule::CONSTANT) *schedule.mutable_end() = Time(steps, 0.5);
    }
    if (Once(3)) schedule.set_from(Number());
    if (Once(3)) schedule.set_to(Number());
    if (Once(5)) schedule.set_rate(100 * Number());
    if (Once(4)) schedule.set_order(proto::SparsitySchedule::RANDOM);
  }

  void Stages(int64_t steps, proto::Sparsity& sparsity) {
    for (int keep = 4; keep > 0; --keep) {
      if (Once(2)) continue;
      proto::Stage& stage = *sparsity.add_stages();
      stage.set_keep(Once(20) ? 7 : keep);
      *stage.mutable_begin() = Time(steps, 0.2 * (4 - keep));
    }
    sparsity.set_nested_stages(Once(2));
  }

  RandomSequence random_;
};

TEST(BuildSwapOptionsTest, PatternsOfSingleLinears) {
  const nn::SwapOptions options = Build(
      "algorithm: PATTERN pattern: 'unstructured:0.5' layers { name: 'a.b' pattern: '4:8' } "
      "schedule { shape: CUBIC end { step: 50 } }");
  EXPECT_EQ(PlanOf(options).pattern.ToString(), "unstructured:0.5");
  ASSERT_EQ(options.plans.size(), 1u);
  const sparse::MaskPlanOptions& own = options.plans.at("a.b").options();
  EXPECT_EQ(own.pattern.ToString(), "4:8");
  EXPECT_EQ(own.schedule.LastChange(), 50);
}

TEST(BuildSwapOptionsTest, TakesWhateverValidationLetsPassAndLayersDoSoToo) {
  Messages messages(11);
  int accepted = 0, rejected = 0;
  for (int round = 0; round < 2000; ++round) {
    const int64_t steps = round % 3 == 0 ? 1 + round % 7 : 100;
    proto::Config config = ConfigOf("");
    config.mutable_training()->set_steps(steps);
    *config.mutable_sparsity() = messages.Next(steps);
    config = WithDefaults(config);
    SCOPED_TRACE(config.sparsity().ShortDebugString());
    try {
      ValidateConfig(config);
    } catch (const Error& error) {
      ++rejected;
      std::istringstream lines(error.what());
      std::set<std::string> paths;
      for (std::string line; std::getline(lines, line);) {
        EXPECT_TRUE(paths.insert(line.substr(0, line.find(": ", std::string("config: ").size()))).second) << line;
        EXPECT_THAT(line, MatchesRegex(R"(config: sparsity\.[a-z_.0-9]+(\[[0-9]\][a-z_.]*)?: .*, ?expected .*)"));
      }
      continue;
    }
    ++accepted;
    ASSERT_NO_THROW({
      const nn::SwapOptions options = BuildSwapOptions(config);
      if (options.target == nn::SwapTarget::kWeight) {
        const int64_t size = options.multiple_of;
        nn::SemiSparseLinear layer(test::RandomF32({size, size}, {.seed = 1}), Tensor(), options.sparsity);
        for (const int64_t step : {int64_t{0}, steps / 2, steps}) {
          layer.SetOptimizerStep(step);
          layer.Forward(Tensor::Zeros({1, size}));
        }
      }
    });
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(rejected, 300);
}

TEST(BuildSwapOptionsTest, WhatIsAcceptedPrunesSomethingAtSomeStepUnlessItIsToldNotTo) {
  Messages messages(12);
  int checked = 0;
  for (int round = 0; round < 1000; ++round) {
    proto::Config config = ConfigOf("");
    config.mutable_training()->set_steps(20);
    *config.mutable_sparsity() = messages.Next(20);
    // Leaves out settings that prune nothing but may be intended, such as shares of 0 and stages of 4:4.
    for (auto* schedule : {config.mutable_sparsity()->mutable_schedule()}) {
      schedule->set_to(1);
      for (auto& point : *schedule->mutable_points()) point.set_share(1);
    }
    config.mutable_sparsity()->clear_stages();
    config.mutable_sparsity()->clear_nested_stages();
    config.mutable_sparsity()->mutable_schedule()->clear_begin();
    config = WithDefaults(config);
    try {
      ValidateConfig(config);
    } catch (const Error&) {
      continue;
    }
    ++checked;
    const sparse::MaskPlan plan = BuildSwapOptions(config).sparsity.plan;
    int sparse_steps = 0;
    for (int64_t step = 0; step < 20; ++step) sparse_steps += !plan.KeepsAll(step);
    EXPECT_GT(sparse_steps, 0) << config.sparsity().ShortDebugString();
  }
  EXPECT_GT(checked, 150);
}

}  // namespace
}  // namespace twofour::train
