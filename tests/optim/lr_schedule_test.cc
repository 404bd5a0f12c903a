#include "twofour/optim/lr_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"

namespace twofour::optim {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Expects a schedule that rises strictly during warm-up, never rises again, is within [low, high], and keeps its last
/// value beyond the end.
void ExpectShape(const LrSchedule& schedule, int64_t warmup_steps, int64_t total_steps, double low, double high) {
  for (int64_t step = 0; step < total_steps; ++step) {
    const double lr = schedule(step);
    EXPECT_GT(lr, 0.0) << step;
    EXPECT_LE(lr, high) << step;
    if (step >= warmup_steps) {
      EXPECT_GE(lr, low) << step;
    }
    if (step > 0 && step < warmup_steps) {
      EXPECT_GT(lr, schedule(step - 1)) << step;
    }
    if (step > warmup_steps) {
      EXPECT_LE(lr, schedule(step - 1)) << step;
    }
  }
  for (int64_t beyond : {total_steps, total_steps + 1, 10 * total_steps}) {
    EXPECT_EQ(schedule(beyond), schedule(total_steps - 1)) << beyond;
  }
}

TEST(ConstantLrTest, IsConstant) {
  const LrSchedule schedule = ConstantLr(0.3);
  for (int64_t step : {0, 1, 1000000}) EXPECT_EQ(schedule(step), 0.3);
  EXPECT_THROW(ConstantLr(-1), Error);
  EXPECT_THROW(ConstantLr(kNan), Error);
}

TEST(WarmupCosineLrTest, Corners) {
  const LrSchedule schedule = WarmupCosineLr({.lr = 0.8, .min_lr = 0.2, .warmup_steps = 4, .total_steps = 13});
  EXPECT_DOUBLE_EQ(schedule(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule(1), 0.4);
  EXPECT_EQ(schedule(3), 0.8);
  EXPECT_EQ(schedule(4), 0.8);
  EXPECT_DOUBLE_EQ(schedule(8), 0.5);  // Half way.
  EXPECT_DOUBLE_EQ(schedule(6), 0.5 + 0.3 * std::cos(M_PI / 4));
  EXPECT_EQ(schedule(12), 0.2);
  EXPECT_EQ(schedule(13), 0.2);
}

TEST(WarmupCosineLrTest, RisesThenFallsToTheBitExactEnds) {
  for (double lr : {0.1, 0.3, 1.0, 3e-4}) {
    for (double min_lr : {1e-20, 1e-5, 0.1 * lr, lr / 3, lr}) {
      for (int64_t warmup : {0, 1, 3, 7, 49, 99, 100}) {
        SCOPED_TRACE(::testing::Message() << "lr " << lr << ", min_lr " << min_lr << ", warmup " << warmup);
        const LrSchedule schedule = WarmupCosineLr({lr, min_lr, warmup, 100});
        if (warmup > 0) {
          EXPECT_EQ(schedule(warmup - 1), lr);
        }
        if (warmup < 99) {
          EXPECT_EQ(schedule(warmup), lr);
        }
        if (warmup < 100) {
          EXPECT_EQ(schedule(99), min_lr);
          ExpectShape(schedule, warmup, 100, min_lr, lr);
        }
      }
    }
  }
}

TEST(WarmupCosineLrTest, DegenerateLengths) {
  EXPECT_EQ(WarmupCosineLr({.lr = 1, .min_lr = 0.5, .warmup_steps = 0, .total_steps = 0})(0), 0.5);
  EXPECT_EQ(WarmupCosineLr({.lr = 1, .min_lr = 0.5, .warmup_steps = 0, .total_steps = 1})(0), 0.5);
  const LrSchedule all_warmup = WarmupCosineLr({.lr = 1, .min_lr = 0.5, .warmup_steps = 2, .total_steps = 2});
  EXPECT_EQ(all_warmup(1), 1.0);
  EXPECT_EQ(all_warmup(2), 0.5);
}

TEST(WarmupCosineLrTest, BadOptionsAreErrors) {
  EXPECT_THAT([] { WarmupCosineLr({.lr = 1, .warmup_steps = 11, .total_steps = 10}); },
              ThrowsMessage<Error>(HasSubstr("learning rate: warmup_steps is 11, expected 0 to 10, all steps")));
  EXPECT_THROW(WarmupCosineLr({.lr = 1, .warmup_steps = -1, .total_steps = 10}), Error);
  EXPECT_THROW(WarmupCosineLr({.lr = 1, .warmup_steps = 0, .total_steps = -1}), Error);
  for (const auto& [lr, min_lr] :
       {std::pair(1.0, 2.0), std::pair(1.0, -0.5), std::pair(-1.0, -1.0), std::pair(kNan, 0.0), std::pair(1.0, kNan)}) {
    EXPECT_THROW(WarmupCosineLr({lr, min_lr, 1, 10}), Error) << lr << " " << min_lr;
    EXPECT_THROW(WarmupStableDecayLr({lr, min_lr, 1, 1, 10}), Error) << lr << " " << min_lr;
  }
}

TEST(WarmupStableDecayLrTest, Corners) {
  const LrSchedule schedule =
      WarmupStableDecayLr({.lr = 0.8, .min_lr = 0.2, .warmup_steps = 4, .decay_steps = 3, .total_steps = 12});
  EXPECT_DOUBLE_EQ(schedule(0), 0.2);
  EXPECT_EQ(schedule(3), 0.8);
  for (int64_t step = 4; step <= 8; ++step) EXPECT_EQ(schedule(step), 0.8);
  EXPECT_DOUBLE_EQ(schedule(9), 0.6);
  EXPECT_DOUBLE_EQ(schedule(10), 0.4);
  EXPECT_EQ(schedule(11), 0.2);
  EXPECT_EQ(schedule(12), 0.2);
}

TEST(WarmupStableDecayLrTest, RisesThenFallsToTheBitExactEnds) {
  for (double lr : {0.1, 0.3, 1.0, 3e-4}) {
    for (double min_lr : {1e-20, 1e-5, 0.1 * lr, lr / 3, lr}) {
      for (int64_t warmup : {0, 1, 3, 49, 60}) {
        for (int64_t decay : {1, 2, 7, 40}) {
          SCOPED_TRACE(::testing::Message()
                       << "lr " << lr << ", min_lr " << min_lr << ", warmup " << warmup << ", decay " << decay);
          const LrSchedule schedule = WarmupStableDecayLr({lr, min_lr, warmup, decay, 100});
          if (warmup > 0) {
            EXPECT_EQ(schedule(warmup - 1), lr);
          }
          if (warmup + decay < 100) {
            EXPECT_EQ(schedule(99 - decay), lr);
          }
          EXPECT_EQ(schedule(99), min_lr);
          ExpectShape(schedule, warmup, 100, min_lr, lr);
        }
      }
    }
  }
}

TEST(WarmupStableDecayLrTest, DegenerateLengths) {
  const LrSchedule no_decay = WarmupStableDecayLr({.lr = 1, .warmup_steps = 0, .decay_steps = 0, .total_steps = 5});
  for (int64_t step : {0, 4, 5, 100}) EXPECT_EQ(no_decay(step), 1.0);
  const LrSchedule all_decay = WarmupStableDecayLr({.lr = 1, .warmup_steps = 0, .decay_steps = 4, .total_steps = 4});
  EXPECT_EQ(all_decay(0), 0.75);
  EXPECT_EQ(all_decay(3), 0.0);
}

TEST(LrScheduleTest, NothingIsMeasuredAgainstABadValue) {
  EXPECT_ERROR(WarmupCosineLr({.lr = -1, .min_lr = 0.1, .total_steps = 9}), ErrorKind::kInvalidInput,
               "learning rate: lr is -1, expected a finite number of at least 0");
  EXPECT_ERROR(WarmupCosineLr({.lr = 1, .warmup_steps = 5, .total_steps = -3}), ErrorKind::kInvalidInput,
               "learning rate: total_steps is -3, expected at least 0");
  EXPECT_ERROR(WarmupStableDecayLr({.lr = 1, .warmup_steps = 5, .decay_steps = -2, .total_steps = 3}),
               ErrorKind::kInvalidInput, "learning rate: decay_steps is -2, expected at least 0");
  EXPECT_ERROR(WarmupStableDecayLr({.lr = 1, .warmup_steps = 5, .decay_steps = 2, .total_steps = -3}),
               ErrorKind::kInvalidInput, "learning rate: total_steps is -3, expected at least 0");
}

TEST(WarmupStableDecayLrTest, BadOptionsAreErrors) {
  EXPECT_THAT([] { WarmupStableDecayLr({.lr = 1, .warmup_steps = 6, .decay_steps = 5, .total_steps = 10}); },
              ThrowsMessage<Error>(HasSubstr("warmup_steps 6 and decay_steps 5 do not fit into 10")));
  EXPECT_THROW(WarmupStableDecayLr({.lr = 1, .warmup_steps = -1, .decay_steps = 0, .total_steps = 10}), Error);
  EXPECT_THROW(WarmupStableDecayLr({.lr = 1, .warmup_steps = 0, .decay_steps = -1, .total_steps = 10}), Error);
}

}  // namespace
}  // namespace twofour::optim
