#include "bench/ranks/rank_simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace twofour::bench {
namespace {

/// A parameter whose update takes a second for each element at 1e9 ns.
TrafficParameter Plain(int64_t elements) {
  return {.elements = elements, .update_cost = static_cast<double>(elements)};
}

constexpr double kOneSecond = 1e9;  // In ns.

TEST(RankSimulationTest, TwoRanksAndOneParameterByHand) {
  const SimulatedStep step{.network = {.latency_seconds = 1, .bytes_per_second = 100},
                           .pass_seconds = 6,
                           .passes = 2,
                           .update_ns_per_element = 0.005 * kOneSecond};
  const StepOutcome outcome = SimulateStep({Plain(1000)}, 2, step);
  // Rank 0 owns the parameter. Its gradient, and a byte that says it is there, leave rank 1 when both passes have
  // ended, and take 40.01 seconds of its link.
  double first = 12 + 40.01 + 1, second = 12 + 40.01;
  // Two numbers, one, and one: 16, 8 and 8 bytes. Each rank goes on when it has sent its own and got the other's.
  for (const double sending : {0.16, 0.08, 0.08}) {
    const double sent_by_first = first + sending, sent_by_second = second + sending;
    first = std::max(sent_by_first, sent_by_second + 1);
    second = std::max(sent_by_second, sent_by_first + 1);
  }
  // The update, and the weights.
  EXPECT_NEAR(outcome.step_seconds, first + 5 + 40 + 1, 1e-9);
  EXPECT_NEAR(outcome.step_seconds, 101.33, 1e-9);
  EXPECT_DOUBLE_EQ(outcome.compute_seconds, 12);
  EXPECT_DOUBLE_EQ(outcome.update_seconds, 5);
  EXPECT_DOUBLE_EQ(outcome.hidden_share, 0);
  EXPECT_EQ(outcome.sent, (std::vector<comm::Traffic>{{4, 4000 + 32}, {4, 4001 + 32}}));
}

TEST(RankSimulationTest, BackwardPassesHideSums) {
  // The second parameter's gradient is there after 3 + 3 seconds, the first one's after 9. Each takes 4.01 seconds of
  // the link of the rank that does not own it.
  const SimulatedStep step{.network = {.bytes_per_second = 100}, .pass_seconds = 9, .bucket_elements = 1};
  const StepOutcome outcome = SimulateStep({Plain(100), Plain(100)}, 2, step);
  EXPECT_NEAR(outcome.hidden_share, 1 - (14.02 - 9) / 8.02, 1e-9);
}

TEST(RankSimulationTest, MasksAreFoundAndSharedByTheirOwners) {
  TrafficParameter sparse = Plain(160);
  sparse.is_sparse = true;
  SimulatedStep step{.network = {.bytes_per_second = 10}, .mask_ns_per_element = 0.1 * kOneSecond};
  const double with_masks = SimulateStep({sparse}, 2, step).step_seconds;
  step.frozen = true;
  const double frozen = SimulateStep({sparse}, 2, step).step_seconds;
  // The search for 160 entries, 10 tiles of 2 bytes, and half of the gradient's 640 bytes.
  EXPECT_NEAR(with_masks - frozen, 16 + 2 + 32, 1e-9);
}

TEST(RankSimulationTest, BytesOfAStep) {
  TrafficParameter sparse = Plain(160);
  sparse.is_sparse = true;
  SimulatedStep step;
  const int64_t small = 16 + 8 + 8 * 2;  // Three parameters, so one of the two ranks has two.
  EXPECT_EQ(BytesOfStep({Plain(5), sparse, Plain(100)}, 2, step), 4 * 265 + 3 + 4 * 265 + 20 + 2 * small);
  step.frozen = true;
  EXPECT_EQ(BytesOfStep({Plain(5), sparse, Plain(100)}, 2, step), 4 * 185 + 3 + 4 * 265 + 2 * small);
}

TEST(RankSimulationTest, RanksSendWhatTheFormulaSays) {
  for (const bool is_sparse : {false, true}) {
    const auto parameters =
        TrafficParametersOf({.depth = 2, .width = 32, .head_size = 8, .vocab = 50, .sparse = is_sparse});
    for (const int ranks : {1, 2, 4, 16}) {
      for (const int64_t scale : {1, 100}) {
        SimulatedStep step{.bucket_elements = 2000, .scale = scale};
        EXPECT_NO_THROW(SimulateStep(parameters, ranks, step));
        step.frozen = true;
        EXPECT_NO_THROW(SimulateStep(parameters, ranks, step));
      }
    }
  }
}

TEST(RankSimulationTest, SmallerSizesOnASlowerNetworkTakeAboutAsLong) {
  const auto parameters =
      TrafficParametersOf({.depth = 2, .width = 256, .head_size = 64, .vocab = 8192, .sparse = true});
  for (const int ranks : {2, 4}) {
    SimulatedStep step{.network = {.latency_seconds = 1e-4, .bytes_per_second = 1e8}, .pass_seconds = 0.1};
    const StepOutcome whole = SimulateStep(parameters, ranks, step);
    step.scale = 4096;
    const StepOutcome scaled = SimulateStep(parameters, ranks, step);
    EXPECT_NEAR(scaled.step_seconds / whole.step_seconds, 1, 0.02);
    EXPECT_NEAR(scaled.hidden_share, whole.hidden_share, 0.02);
    for (size_t rank = 0; rank < whole.sent.size(); ++rank) {
      EXPECT_EQ(scaled.sent[rank].messages, whole.sent[rank].messages);
    }
  }
}

TEST(TrafficModelTest, ParametersOfAGpt) {
  const auto parameters = TrafficParametersOf({.depth = 2, .width = 64, .head_size = 16, .vocab = 100, .sparse = true});
  int64_t matrices = 0, sparse = 0;
  for (const TrafficParameter& parameter : parameters) {
    if (parameter.elements > 64) matrices += parameter.elements;
    if (parameter.is_sparse) sparse += parameter.elements;
    EXPECT_EQ(parameter.update_cost, static_cast<double>(parameter.elements));
  }
  EXPECT_EQ(matrices, 2 * 100 * 64 + 2 * 12 * 64 * 64);
  EXPECT_EQ(sparse, 2 * 8 * 64 * 64);
  EXPECT_FALSE(parameters.front().is_product);
  EXPECT_TRUE(parameters.back().is_product);
}

}  // namespace
}  // namespace twofour::bench
