#include "twofour/sparse/mask_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/column_flip_rate.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor WeightOf(int64_t step) { return RandomF32({8, 16}, {.seed = 1, .stream = static_cast<uint32_t>(step)}); }

/// The steps of [0, last] at which a mask is found, for a weight that is written to once in each step.
std::vector<int64_t> StepsOfRefresh(MaskTracker tracker, int64_t last) {
  std::vector<int64_t> steps;
  for (int64_t step = 0; step <= last; ++step) {
    tracker.SetOptimizerStep(step);
    const auto version = static_cast<uint64_t>(step);
    if (tracker.Refresh(WeightOf(step), version)) steps.push_back(step);
    EXPECT_FALSE(tracker.Refresh(WeightOf(step), version)) << "twice at step " << step;
  }
  return steps;
}

std::vector<NamedTensor> StateOf(const MaskTracker& tracker, uint64_t version) {
  std::vector<NamedTensor> state;
  tracker.AppendState("w", version, state);
  return state;
}

/// Lets the tracker read its state for a weight of this version. Throws Error and changes nothing if it does not fit.
void Read(const std::vector<NamedTensor>& state, MaskTracker& tracker, uint64_t version) {
  StateReader reader(state, "file");
  const auto commit = tracker.ReadState("w", {8, 16}, reader);
  reader.Finish("nobody knows it");
  commit(version);
}

TEST(MaskTrackerTest, FindsAMaskAtFirstUseAndAfterEachInterval) {
  EXPECT_THAT(StepsOfRefresh(MaskTracker({}, "w"), 4), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(StepsOfRefresh(MaskTracker({.interval = 3}, "w"), 10), ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(StepsOfRefresh(MaskTracker({.interval_growth = 0.5}, "w"), 20), ElementsAre(0, 1, 2, 3, 5, 9, 17));
  EXPECT_THAT(StepsOfRefresh(MaskTracker({.interval = 2, .freeze_step = 5}, "w"), 12), ElementsAre(0, 2, 4, 5));
  EXPECT_THAT(StepsOfRefresh(MaskTracker({.freeze_step = 0}, "w"), 5), ElementsAre(0));
}

TEST(MaskTrackerTest, AScheduleArrivesHoweverRareSearchesAre) {
  const MaskPlan plan({.schedule = SparsitySchedule({.shape = ScheduleShape::kLinear, .end_step = 25})});
  for (const MaskTrackerOptions& options :
       {MaskTrackerOptions{.plan = plan, .interval = 20}, {.plan = plan, .interval_growth = 0.9}}) {
    MaskTracker tracker(options, "w");
    for (int64_t step = 0; step <= 25; ++step) {
      tracker.SetOptimizerStep(step);
      tracker.Refresh(WeightOf(step), static_cast<uint64_t>(step));
    }
    EXPECT_EQ(tracker.mask().CountKept(), 8 * 16 / 2);
  }
  EXPECT_THAT(StepsOfRefresh(MaskTracker({.plan = plan, .interval = 20}, "w"), 60), ElementsAre(0, 1, 2, 22, 25, 45));
}

/// A mask of [8, 16] that keeps column 3 alone.
Mask OneColumn() {
  Tensor kept = Tensor::Full({8, 16}, 0, DType::kBool);
  for (int64_t row = 0; row < 8; ++row) kept.mutable_data<bool>()[row * 16 + 3] = true;
  return Mask::FromTensor(kept);
}

TEST(MaskTrackerTest, WithoutSearchesAMaskThatIsGivenStays) {
  const MaskTrackerOptions options{.freeze_step = 0, .searches = false};
  MaskTracker tracker(options, "w");
  EXPECT_THAT(StepsOfRefresh(tracker, 5), ElementsAre(0));
  ASSERT_TRUE(tracker.Refresh(WeightOf(0), 0));
  EXPECT_TRUE(tracker.keeps_all());
  tracker.GiveMask(OneColumn(), 0);
  tracker.SetOptimizerStep(7);
  EXPECT_FALSE(tracker.Refresh(WeightOf(7), 7));
  EXPECT_EQ(tracker.mask(), OneColumn());
  EXPECT_FALSE(tracker.keeps_all());

  // A mask that keeps more than the plan's comes back as it was, too.
  MaskTracker whole(options, "w"), restored(options, "w");
  whole.Refresh(WeightOf(0), 0);
  Read(StateOf(tracker, 7), restored, 7);
  EXPECT_EQ(restored.mask(), OneColumn());
  Read(StateOf(whole, 7), restored, 7);
  restored.SetOptimizerStep(9);
  EXPECT_FALSE(restored.IsDue(9));
  EXPECT_TRUE(restored.keeps_all());
}

TEST(MaskTrackerTest, AMaskThatWasFrozenStaysIfTheRunIsLengthened) {
  MaskTracker shorter({.freeze_step = 2}, "w"), longer({.freeze_step = 4}, "w");
  EXPECT_THAT(StepsOfRefresh(shorter, 3), ElementsAre(0, 1, 2));
  for (int64_t step = 0; step <= 6; ++step) {
    shorter.SetOptimizerStep(step);
    shorter.Refresh(WeightOf(step), static_cast<uint64_t>(step));
  }
  Read(StateOf(shorter, 6), longer, 6);
  longer.SetOptimizerStep(6);
  EXPECT_FALSE(longer.IsDue(6));
  EXPECT_EQ(longer.mask(), shorter.mask());
  longer.SetOptimizerStep(7);
  EXPECT_FALSE(longer.IsDue(7));

  // A shorter run may have frozen another stage.
  const MaskPlan stages({.stages = {{0, 3}, {1, 1}}});
  MaskTracker fewer_entries({.plan = stages, .freeze_step = 4}, "w");
  Read(StateOf(shorter, 6), fewer_entries, 6);
  fewer_entries.SetOptimizerStep(6);
  EXPECT_TRUE(fewer_entries.Refresh(WeightOf(6), 6));
  EXPECT_FALSE(fewer_entries.IsDue(7));

  // A mask that is not frozen yet is found anew until then.
  MaskTracker much_longer({.freeze_step = 8}, "w");
  Read(StateOf(shorter, 6), much_longer, 6);
  much_longer.SetOptimizerStep(6);
  EXPECT_TRUE(much_longer.IsDue(7));
}

TEST(MaskTrackerTest, FollowsThePlanWhateverTheInterval) {
  const MaskPlan plan({.stages = {{2, 3}, {5, 2}}, .dense_from_step = 8});
  // Dense before the first stage and from step 8 on.
  EXPECT_THAT(StepsOfRefresh(MaskTracker({.plan = plan, .interval = 100}, "w"), 12), ElementsAre(0, 2, 5, 8));
}

TEST(MaskTrackerTest, CountsWritesWhereNobodyTellsOfSteps) {
  MaskTracker tracker({.interval = 3}, "w");
  std::vector<uint64_t> found;
  for (uint64_t version = 10; version < 20; ++version) {
    if (tracker.Refresh(WeightOf(static_cast<int64_t>(version)), version)) found.push_back(version);
  }
  EXPECT_THAT(found, ElementsAre(10, 13, 16, 19));
  EXPECT_EQ(StateOf(tracker, 21)[1].tensor.item(), 2);  // The age.
}

TEST(MaskTrackerTest, TheMaskIsThePlansForTheScores) {
  MaskTracker tracker({}, "w");
  const Tensor scores = WeightOf(3);
  EXPECT_TRUE(tracker.mask().empty());
  EXPECT_TRUE(tracker.Refresh(scores, 0));
  EXPECT_EQ(tracker.mask(), FindMask(scores, MaskMethod::kExact));
  EXPECT_FALSE(tracker.keeps_all());
  EXPECT_EQ(tracker.flip_rate(), 0.0);
  const Mask before = tracker.mask();
  tracker.Refresh(WeightOf(4), 1);
  EXPECT_GT(tracker.flip_rate(), 0.0);
  EXPECT_EQ(tracker.flip_rate(), FlipRate(before, tracker.mask()));
}

TEST(MaskTrackerTest, CountsBlocksOfVnmWithOtherColumns) {
  const VnmPattern pattern{.v = 4, .m = 5};
  MaskTracker tracker({.plan = MaskPlan({.method = MaskMethod::kVnm, .vnm = pattern, .dense_from_step = 2})}, "w");
  tracker.Refresh(WeightOf(3), 0);
  EXPECT_EQ(tracker.column_flip_rate(), 0.0);
  const Mask before = tracker.mask();
  tracker.Refresh(WeightOf(4), 1);
  EXPECT_GT(tracker.column_flip_rate(), 0.0);
  EXPECT_EQ(tracker.column_flip_rate(), ColumnFlipRate(before, tracker.mask(), pattern));
  tracker.SetOptimizerStep(2);
  tracker.Refresh(WeightOf(5), 2);
  EXPECT_EQ(tracker.column_flip_rate(), std::nullopt);
  MaskTracker plain({}, "w");
  plain.Refresh(WeightOf(3), 0);
  EXPECT_EQ(plain.column_flip_rate(), std::nullopt);
}

TEST(MaskTrackerTest, RestoredAnywhereItGoesOnAsIfItHadNeverStopped) {
  const MaskTrackerOptions recipes[] = {
      {.interval = 3},
      {.interval_growth = 0.3},
      {.plan = MaskPlan({.first_sparse_step = 4, .dense_from_step = 11}), .interval = 2},
      {.plan = MaskPlan({.stages = {{3, 3}, {9, 2}}}), .freeze_step = 10},
      {.plan = MaskPlan({.method = MaskMethod::kVnm, .vnm = {.v = 4, .m = 5}, .dense_from_step = 13}), .interval = 2},
      {.plan = MaskPlan(
           {.method = MaskMethod::kVnm, .vnm = {.v = 4, .m = 6}, .stages = {{.step = 2, .m = 4}, {.step = 5, .m = 6}}}),
       .freeze_step = 11},
  };
  constexpr int64_t kSteps = 16;
  for (const MaskTrackerOptions& options : recipes) {
    MaskTracker whole(options, "w");
    std::vector<MaskTracker> at_step;
    std::vector<Mask> masks;
    std::vector<double> flips;
    std::vector<std::optional<double>> column_flips;
    for (int64_t step = 0; step < kSteps; ++step) {
      whole.SetOptimizerStep(step);
      whole.Refresh(WeightOf(step), static_cast<uint64_t>(step));
      at_step.push_back(whole);
      masks.push_back(whole.mask());
      flips.push_back(whole.flip_rate());
      column_flips.push_back(whole.column_flip_rate());
    }
    for (int64_t stop = 0; stop < kSteps; ++stop) {
      SCOPED_TRACE("stopped at step " + std::to_string(stop));
      const MaskTracker& saved = at_step[static_cast<size_t>(stop)];
      const auto version = static_cast<uint64_t>(stop);
      constexpr uint64_t kShift = 1000;  // In another process the count of writes starts from another number.
      MaskTracker resumed(options, "w");
      Read(StateOf(saved, version), resumed, version + kShift);
      for (int64_t step = stop; step < kSteps; ++step) {
        resumed.SetOptimizerStep(step);
        resumed.Refresh(WeightOf(step), static_cast<uint64_t>(step) + kShift);
        EXPECT_EQ(resumed.mask(), masks[static_cast<size_t>(step)]) << step;
        EXPECT_EQ(resumed.flip_rate(), flips[static_cast<size_t>(step)]) << step;
        EXPECT_EQ(resumed.column_flip_rate(), column_flips[static_cast<size_t>(step)]) << step;
      }
    }
  }
}

TEST(MaskTrackerTest, WithoutAMaskItBeginsAnew) {
  MaskTracker tracker({.interval = 100}, "w");
  tracker.Refresh(WeightOf(1), 0);
  Read({}, tracker, 0);
  EXPECT_TRUE(tracker.mask().empty());
  EXPECT_TRUE(tracker.Refresh(WeightOf(2), 0));
  EXPECT_EQ(tracker.mask(), FindMask(WeightOf(2), MaskMethod::kExact));
}

TEST(MaskTrackerTest, RefusesAStateThatCannotBeItsOwn) {
  MaskTracker tracker({}, "w");
  tracker.Refresh(WeightOf(1), 0);
  const Mask before = tracker.mask();
  const auto fails = [&](const std::string& name, const Tensor& tensor, const std::string& words) {
    std::vector<NamedTensor> state = StateOf(tracker, 0);
    for (NamedTensor& named : state) {
      if (named.name == name) named.tensor = tensor;
    }
    EXPECT_THAT([&] { Read(state, tracker, 0); },
                ThrowsMessage<Error>(HasSubstr("file: tensor '" + name + "': " + words)));
    EXPECT_EQ(tracker.mask(), before);
  };
  const auto f64 = [](double value) { return Tensor::Scalar(value, DType::kF64); };
  fails("w_mask", Tensor::Zeros({8, 20}, DType::kBool), "shape [8, 20], expected [8, 16]");
  fails("w_mask", Tensor::Zeros({8, 16}), "");
  fails("w_mask", Tensor::Full({8, 16}, 1, DType::kBool), "tile [0, 0] keeps more than two of four");
  fails("w_mask_age", Tensor::Scalar(1), "expected one i32 that is not negative");
  fails("w_mask_age", Tensor::Scalar(-1, DType::kI32), "expected one i32 that is not negative");
  fails("w_mask_age", Tensor::Zeros({2}, DType::kI32), "expected one i32 that is not negative");
  for (const double bad : {-1.0, 0.5, 1e300, std::nan("")})
    fails("w_mask_step", f64(bad), "expected one f64 that is a step");
  fails("w_mask_flip_rate", f64(1.5), "expected one f64 in [0, 1]");
}

TEST(MaskTrackerTest, RefusesAnAgeOrAStepWithoutAMask) {
  MaskTracker tracker({}, "w");
  tracker.Refresh(WeightOf(1), 0);
  for (const char* const left : {"w_mask_age", "w_mask_step"}) {
    std::vector<NamedTensor> state = StateOf(tracker, 0);
    std::erase_if(state, [&](const NamedTensor& named) { return named.name != left; });
    ASSERT_EQ(state.size(), 1u);
    EXPECT_THAT([&] { Read(state, tracker, 0); },
                ThrowsMessage<Error>("file: tensor 'w_mask': missing, expected beside its age and step"));
  }
}

TEST(MaskTrackerTest, RefusesAMaskThatItsPlanNeverMakes) {
  MaskTracker tracker({.plan = MaskPlan({.method = MaskMethod::kRows, .rows = {1, 4}}), .freeze_step = 0}, "w");
  tracker.Refresh(WeightOf(1), 0);
  const Mask before = tracker.mask();
  for (const bool with_step : {true, false}) {
    std::vector<NamedTensor> state = StateOf(tracker, 0);
    state[0].tensor = Tensor::Full({8, 16}, 1, DType::kBool);
    if (!with_step) state.resize(1);
    EXPECT_THAT([&] { Read(state, tracker, 0); },
                ThrowsMessage<Error>("file: tensor 'w_mask': keeps 4 of 4 along a row, the plan 1"));
    EXPECT_EQ(tracker.mask(), before);
  }
}

TEST(MaskTrackerTest, AMaskThatCameWithoutItsStepIsReadBackFromItsOwnState) {
  const MaskTrackerOptions frozen{.freeze_step = 0};
  MaskTracker tracker(frozen, "w"), resumed(frozen, "w");
  Read({{"w_mask", Tensor::Zeros({8, 16}, DType::kBool)}}, tracker, 0);  // Of a weight that is all zeros.
  EXPECT_EQ(tracker.mask().CountKept(), 0);
  tracker.SetOptimizerStep(3);
  EXPECT_FALSE(tracker.Refresh(WeightOf(3), 3));
  Read(StateOf(tracker, 3), resumed, 3);
  EXPECT_EQ(resumed.mask(), tracker.mask());
}

TEST(MaskTrackerTest, RefusesWhatMakesNoSense) {
  const auto fails = [](const MaskTrackerOptions& options, const std::string& words) {
    EXPECT_THAT([&] { MaskTracker(options, "w"); }, ThrowsMessage<Error>(HasSubstr(words)));
  };
  fails({.interval = 0}, "interval is 0");
  fails({.interval_growth = -0.1}, "interval_growth is -0.1");
  fails({.interval_growth = 1.5}, "interval_growth is 1.5");
  fails({.freeze_step = -1}, "freeze_step is -1");
}

TEST(MaskTrackerTest, APatternIsKnownOfMasksThatHaveIt) {
  const VnmPattern wide{.v = 8, .m = 8};
  const auto plan = [&](int64_t begin) {
    return MaskPlan(
        {.method = MaskMethod::kVnm, .vnm = wide, .stages = {{.step = 1, .m = 6}, {.step = begin, .m = 8}}});
  };
  const Tensor weight = WeightOf(0);
  MaskTracker tracker({.plan = plan(4)}, "w");
  const auto refresh_at = [&](int64_t step) {
    tracker.SetOptimizerStep(step);
    tracker.Refresh(weight, static_cast<uint64_t>(step));
    return tracker.vnm();
  };
  EXPECT_EQ(refresh_at(0), std::nullopt);
  EXPECT_EQ(refresh_at(3), (VnmPattern{.v = 8, .m = 6}));
  EXPECT_EQ(refresh_at(4), wide);
  refresh_at(3);
  const std::vector<NamedTensor> state = StateOf(tracker, 3);
  // A plan whose second stage begins earlier asks for 8:2:8 at the step of this mask, which is 8:2:6.
  for (const int64_t begin : {4, 2}) {
    MaskTracker other({.plan = plan(begin)}, "w");
    Read(state, other, 3);
    EXPECT_EQ(other.vnm(), begin == 4 ? std::optional(VnmPattern{.v = 8, .m = 6}) : std::nullopt);
  }
}

}  // namespace
}  // namespace twofour::sparse
