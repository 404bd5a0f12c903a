#include "twofour/train/parallel/owner_broadcast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "twofour/comm/thread_network.h"

namespace twofour::train {
namespace {

TEST(OwnerBroadcastTest, EveryRankGetsWhatEachOwnerHas) {
  for (int ranks = 1; ranks <= 9; ++ranks) {
    // Some own nothing, and one item is larger than what is sent at once.
    std::vector<std::string> expected;
    std::vector<int> owners;
    for (int i = 0; i < 11; ++i) {
      owners.push_back(i * i % ranks);
      expected.push_back(std::string(i == 5 ? size_t{9} << 20 : static_cast<size_t>(i), static_cast<char>('a' + i)));
    }
    int64_t all = 0;
    for (const std::string& text : expected) all += static_cast<int64_t>(text.size());
    std::atomic<int64_t> sent = 0;
    comm::ThreadNetwork network(ranks);
    network.Run([&](comm::Communicator& rank) {
      std::vector<std::string> texts = expected;
      std::vector<OwnerBroadcast::Item> items;
      for (size_t i = 0; i < texts.size(); ++i) {
        if (owners[i] != rank.rank()) texts[i].assign(texts[i].size(), '?');
        items.push_back({owners[i], std::as_writable_bytes(std::span(texts[i]))});
      }
      OwnerBroadcast(rank).Share(items);
      EXPECT_TRUE(texts == expected) << ranks;
      sent += rank.sent().bytes;
    });
    EXPECT_EQ(sent, (ranks - 1) * all) << ranks;
  }
}

}  // namespace
}  // namespace twofour::train
