#include "twofour/train/data/bpe/pair_merges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<int32_t>;

Ids Bytes() {
  Ids ids;
  for (int32_t byte = 0; byte < 256; ++byte) ids.push_back(byte);
  return ids;
}

Ids Encode(const PairMerges& merges, const std::string& piece) {
  Ids ids;
  merges.Encode(piece, ids);
  return ids;
}

/// The definition, word for word: look for the pair that comes first in the list, at its leftmost place, until none is
/// there.
Ids EncodeSlowly(const std::vector<PairMerge>& merges, const std::string& piece) {
  Ids ids;
  for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
  for (;;) {
    size_t best = merges.size(), place = 0;
    for (size_t rank = 0; rank < merges.size() && best == merges.size(); ++rank) {
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        if (ids[i] != merges[rank].left || ids[i + 1] != merges[rank].right) continue;
        best = rank;
        place = i;
        break;
      }
    }
    if (best == merges.size()) return ids;
    ids[place] = merges[best].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(PairMergesTest, MergesInTheOrderOfTheList) {
  // b c before a b: "abc" is a, bc.
  const PairMerges merges(Bytes(), {{'b', 'c', 256}, {'a', 'b', 257}, {256, 'd', 258}});
  EXPECT_THAT(Encode(merges, "abc"), ElementsAre('a', 256));
  EXPECT_THAT(Encode(merges, "ab"), ElementsAre(257));
  EXPECT_THAT(Encode(merges, "abcd"), ElementsAre('a', 258));
  EXPECT_THAT(Encode(merges, "x"), ElementsAre('x'));
  EXPECT_THAT(Encode(merges, ""), ElementsAre());
}

TEST(PairMergesTest, TheLeftmostPairComesFirst) {
  const PairMerges merges(Bytes(), {{'a', 'a', 256}, {256, 256, 257}});
  EXPECT_THAT(Encode(merges, "aaa"), ElementsAre(256, 'a'));
  EXPECT_THAT(Encode(merges, "aaaaaaa"), ElementsAre(257, 256, 'a'));
}

TEST(PairMergesTest, APairCountsWhereItComesFirst) {
  EXPECT_THAT(Encode(PairMerges(Bytes(), {{'a', 'b', 256}, {'b', 'c', 257}, {'a', 'b', 258}}), "abc"),
              ElementsAre(256, 'c'));
}

TEST(PairMergesTest, EqualsTheDefinitionOnRandomLists) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<PairMerge> merges;
    Ids tokens = {'a', 'b', 'c'};
    const int count = static_cast<int>(random() % 12);
    for (int i = 0; i < count; ++i) {
      merges.push_back({tokens[random() % tokens.size()], tokens[random() % tokens.size()], 256 + i});
      tokens.push_back(256 + i);
    }
    std::string piece;
    for (size_t length = random() % 40; piece.size() < length;) piece += "abc"[random() % 3];
    EXPECT_EQ(Encode(PairMerges(Bytes(), merges), piece), EncodeSlowly(merges, piece)) << piece;
  }
}

TEST(PairMergesTest, LongPiecesTakeNoSquareOfTheirLength) {
  // With a square of steps this would take minutes.
  const PairMerges merges(Bytes(), {{'a', 'a', 256}, {256, 256, 257}, {257, 257, 258}});
  EXPECT_EQ(Encode(merges, std::string(400'000, 'a')).size(), 50'000U);
}

}  // namespace
}  // namespace twofour::train
