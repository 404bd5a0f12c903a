#include "twofour/core/recently_used.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace twofour {
namespace {

/// Makes the tenfold of a key, and notes for which keys it did.
struct Tenfold {
  std::vector<int>& made;
  int operator()(int key) const {
    made.push_back(key);
    return 10 * key;
  }
};

TEST(RecentlyUsedTest, MakesAValueOnce) {
  std::vector<int> made;
  RecentlyUsed<int, int> kept(3);
  for (const int key : {1, 2, 1, 1, 2}) EXPECT_EQ(kept.Get(key, Tenfold{made}), 10 * key);
  EXPECT_EQ(made, (std::vector<int>{1, 2}));
  EXPECT_EQ(kept.size(), 2u);
}

TEST(RecentlyUsedTest, DropsTheValueThatNobodyAskedForTheLongest) {
  std::vector<int> made;
  RecentlyUsed<int, int> kept(3);
  for (const int key : {1, 2, 3, 1, 4}) kept.Get(key, Tenfold{made});  // 4 takes the place of 2.
  EXPECT_EQ(kept.size(), 3u);
  made.clear();
  for (const int key : {1, 3, 4}) EXPECT_EQ(kept.Get(key, Tenfold{made}), 10 * key);
  EXPECT_TRUE(made.empty());
  EXPECT_EQ(kept.Get(2, Tenfold{made}), 20);  // It takes the place of 1.
  EXPECT_EQ(kept.Get(1, Tenfold{made}), 10);
  EXPECT_EQ(made, (std::vector<int>{2, 1}));
}

TEST(RecentlyUsedTest, IsAsBeforeIfAValueCannotBeMade) {
  std::vector<int> made;
  RecentlyUsed<int, int> kept(1);
  kept.Get(1, Tenfold{made});
  EXPECT_THROW(kept.Get(2, [](int) -> int { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_EQ(kept.size(), 1u);
  kept.Get(1, Tenfold{made});
  EXPECT_EQ(made, (std::vector<int>{1}));
}

}  // namespace
}  // namespace twofour
