#include "twofour/train/parallel/evaluation_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <vector>

#include "twofour/comm/thread_network.h"
#include "twofour/core/error.h"
#include "twofour/train/parallel/agreement.h"

namespace twofour::train {
namespace {

TEST(RankSharesTest, EveryBatchIsEvaluatedOnceAndKnownToAll) {
  for (const int ranks : {1, 2, 3, 7}) {
    for (const int64_t batches : {0, 1, 2, 5, 13}) {
      std::atomic<int64_t> evaluated = 0, most = 0;
      comm::ThreadNetwork network(ranks);
      network.Run([&](comm::Communicator& rank) {
        int64_t own = 0;
        const auto outcomes = RankShares(rank).Evaluate(batches, [&](int64_t batch) -> std::optional<BatchOutcome> {
          ++own;
          return BatchOutcome(static_cast<size_t>(batch % 4), 0.5 * static_cast<double>(batch));
        });
        ASSERT_TRUE(outcomes);
        ASSERT_EQ(std::ssize(*outcomes), batches);
        for (int64_t batch = 0; batch < batches; ++batch) {
          EXPECT_EQ((*outcomes)[static_cast<size_t>(batch)],
                    BatchOutcome(static_cast<size_t>(batch % 4), 0.5 * static_cast<double>(batch)));
        }
        evaluated += own;
        int64_t seen = most;
        while (seen < own && !most.compare_exchange_weak(seen, own)) {
        }
      });
      EXPECT_EQ(evaluated, batches);
      EXPECT_LE(most, batches / ranks + 1);
    }
  }
}

TEST(RankSharesTest, StopsAndFailsOnAllRanks) {
  comm::ThreadNetwork network(3);
  network.Run([](comm::Communicator& rank) {
    EXPECT_FALSE(RankShares(rank).Evaluate(
        9, [&](int64_t batch) { return batch == 4 ? std::nullopt : std::optional(BatchOutcome{1}); }));
    EXPECT_THROW(RankShares(rank).Evaluate(9,
                                           [&](int64_t batch) -> std::optional<BatchOutcome> {
                                             if (batch == 8) throw Error("cannot read");
                                             return BatchOutcome{1};
                                           }),
                 SharedError);
  });
}

}  // namespace
}  // namespace twofour::train
