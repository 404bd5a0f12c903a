#include "bench/support/rounds.h"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

namespace twofour::bench {
namespace {

TEST(Median, IsTheMiddleOrTheMeanOfTwo) {
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({9, 1, 2}), 2);
  EXPECT_EQ(Median({4, 100, 1, 2}), 3);
}

TEST(Rounds, TakesVariantsInTurnAndComparesThem) {
  // Both sleep longer than the least time of a variant in a round. So each runs once in a round, after two runs to warm
  // up.
  const auto sleep = [](int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); };
  std::string order;
  Rounds rounds("test", /*rounds=*/3);
  rounds.Add("short", [&] { order += 's', sleep(60); });
  rounds.Add("long", [&] { order += 'l', sleep(180); });
  rounds.Run();
  EXPECT_EQ(order,
            "ssll"
            "sl"
            "ls"
            "sl");
  EXPECT_GE(rounds.Milliseconds("short"), 60);
  EXPECT_GE(rounds.Milliseconds("long"), 180);
  EXPECT_GT(rounds.Ratio("long", "short"), 1);
  EXPECT_LT(rounds.Ratio("short", "long"), 1);
  EXPECT_EQ(rounds.Fastest({"long", "short"}), "short");
}

}  // namespace
}  // namespace twofour::bench
