#include "twofour/sparse/kernels/search/vnm_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/vnm_brute_force.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kPadding = 3;  // Columns beside the blocks, of another matrix so to speak.

/// Scores of blocks side by side.
struct Scores {
  int64_t rows, groups;
  int m;
  std::vector<float> values = {};

  int64_t stride() const { return groups * m + kPadding; }
  float At(int64_t group, int64_t row, int col) const {
    return std::fabs(values[static_cast<size_t>(row * stride() + group * m + col)]);
  }
  BlockRow blocks() const { return {values.data(), stride(), rows, groups, m}; }
};

/// One block and several vectors of blocks, whole tiles and cut-off ones.
std::vector<Scores> Cases(std::vector<int> widths) {
  std::vector<Scores> cases;
  for (const int m : widths) {
    for (const auto& [rows, groups] : {std::pair{4, 35}, {8, 1}, {7, 16}, {1, 17}, {18, 3}}) {
      cases.push_back({rows, groups, m});
    }
  }
  return cases;
}

Scores Filled(Scores scores, const std::function<float(RandomSequence&)>& value) {
  RandomSequence random({.seed = 5, .stream = static_cast<uint32_t>(scores.rows * 64 + scores.m)});
  scores.values.resize(static_cast<size_t>(scores.rows * scores.stride()));
  for (float& score : scores.values) score = value(random);
  return scores;
}

float Normal(RandomSequence& random) { return static_cast<float>(random.Normal()); }
/// Sums of few of these are exact, and often equal.
float SmallInteger(RandomSequence& random) { return static_cast<float>(random.Below(5)) - 2; }

using Chooser = std::function<void(const BlockRow&, uint32_t*)>;

std::vector<uint32_t> Chosen(const Scores& scores, const Chooser& choose) {
  std::vector<uint32_t> chosen(static_cast<size_t>(scores.groups));
  choose(scores.blocks(), chosen.data());
  return chosen;
}

Chooser With(void (*choose)(const BlockRow&, VnmInner, uint32_t*), VnmInner inner) {
  return [=](const BlockRow& blocks, uint32_t* chosen) { choose(blocks, inner, chosen); };
}

std::vector<float> SumsOf(const Scores& scores, int64_t group) {
  std::vector<float> sums(static_cast<size_t>(scores.m));
  for (int64_t row = 0; row < scores.rows; ++row) {
    for (int col = 0; col < scores.m; ++col) sums[static_cast<size_t>(col)] += scores.At(group, row, col);
  }
  return sums;
}

uint32_t LargestSums(const Scores& scores, int64_t group) {
  const std::vector<float> sums = SumsOf(scores, group);
  std::vector<size_t> order(sums.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return sums[a] > sums[b]; });
  return 1u << order[0] | 1u << order[1] | 1u << order[2] | 1u << order[3];
}

TEST(ChooseBySumsTest, IsWhatSortingFinds) {
  test::ForEachIsa([](Isa) {
    for (const Scores& sizes : Cases({5, 8, 13, 16, 32})) {
      for (const auto& value : {Normal, SmallInteger}) {
        const Scores scores = Filled(sizes, value);
        const std::vector<uint32_t> chosen = Chosen(scores, &ChooseBySums);
        for (int64_t group = 0; group < scores.groups; ++group) {
          ASSERT_EQ(chosen[static_cast<size_t>(group)], LargestSums(scores, group)) << scores.m << " " << group;
        }
      }
    }
  });
}

/// What brute force can keep, in double.
class BruteForce {
 public:
  BruteForce(const Scores& scores, VnmInner inner) : scores_(scores), inner_(inner) {
    for (const float score : scores.values) magnitudes_.push_back(std::fabs(score));
  }

  double MostOf(int64_t group, uint32_t columns) const { return BlockOf(group).MostOf(columns, inner_); }
  /// The first choice of which most is kept.
  uint32_t Best(int64_t group) const {
    uint32_t best = 0;
    double most = -1;
    for (const uint32_t choice : BlockOf(group).Choices()) {
      const double kept = MostOf(group, choice);
      if (kept > most) {
        most = kept;
        best = choice;
      }
    }
    return best;
  }
  /// The choice after the best exchange, which is `columns` if none keeps more.
  uint32_t Exchanged(int64_t group, uint32_t columns) const {
    uint32_t best = columns;
    double most = MostOf(group, columns);
    for (int col = 0; col < scores_.m; ++col) {
      for (int old = 0; old < scores_.m; ++old) {
        if ((columns >> col & 1) != 0 || (columns >> old & 1) == 0) continue;
        const uint32_t other = (columns & ~(1u << old)) | 1u << col;
        const double kept = MostOf(group, other);
        if (kept > most) {
          most = kept;
          best = other;
        }
      }
    }
    return best;
  }

 private:
  test::BruteForceBlock BlockOf(int64_t group) const {
    return {magnitudes_.data() + group * scores_.m, scores_.stride(), scores_.rows, scores_.m};
  }

  const Scores& scores_;
  VnmInner inner_;
  std::vector<double> magnitudes_;
};

constexpr VnmInner kInners[] = {VnmInner::kTransposable, VnmInner::kRows};

const std::vector<Scores> kSmall = {{4, 17, 5}, {7, 3, 8}, {12, 1, 8}, {1, 9, 6}, {8, 2, 9}, {4, 1, 16}};

/// Integers: all sums are exact, so ties are ties.
TEST(ChooseOfAllTest, IsTheFirstOfTheBest) {
  for (const Scores& sizes : kSmall) {
    for (const VnmInner inner : kInners) {
      const Scores scores = Filled(sizes, SmallInteger);
      const BruteForce brute_force(scores, inner);
      std::vector<uint32_t> expected;
      for (int64_t group = 0; group < scores.groups; ++group) expected.push_back(brute_force.Best(group));
      test::ForEachIsa([&](Isa) {
        EXPECT_EQ(Chosen(scores, With(&ChooseOfAll, inner)), expected) << scores.m << " " << NameOf(inner);
      });
    }
  }
}

TEST(ChooseOfAllTest, KeepsMostOfAnyScores) {
  for (const Scores& sizes : kSmall) {
    for (const VnmInner inner : kInners) {
      const Scores scores = Filled(sizes, Normal);
      const BruteForce brute_force(scores, inner);
      const std::vector<uint32_t> chosen = Chosen(scores, With(&ChooseOfAll, inner));
      for (int64_t group = 0; group < scores.groups; ++group) {
        EXPECT_NEAR(brute_force.MostOf(group, chosen[static_cast<size_t>(group)]),
                    brute_force.MostOf(group, brute_force.Best(group)), 1e-5);
      }
    }
  }
}

const std::vector<Scores> kWide = {{4, 17, 9}, {8, 3, 16}, {7, 2, 32}, {20, 1, 12}};

TEST(ChooseByExchangesTest, MakesTheBestExchangeEachTime) {
  for (const Scores& sizes : kWide) {
    for (const VnmInner inner : kInners) {
      const Scores scores = Filled(sizes, SmallInteger);
      const BruteForce brute_force(scores, inner);
      std::vector<uint32_t> expected;
      for (int64_t group = 0; group < scores.groups; ++group) {
        uint32_t& columns = expected.emplace_back(LargestSums(scores, group));
        for (int i = 0; i < kMostExchanges; ++i) columns = brute_force.Exchanged(group, columns);
      }
      test::ForEachIsa([&](Isa) {
        EXPECT_EQ(Chosen(scores, With(&ChooseByExchanges, inner)), expected) << scores.m << " " << NameOf(inner);
      });
    }
  }
}

TEST(ChooseByExchangesTest, NoExchangeKeepsMore) {
  for (const Scores& sizes : kWide) {
    for (const VnmInner inner : kInners) {
      const Scores scores = Filled(sizes, Normal);
      const BruteForce brute_force(scores, inner);
      const std::vector<uint32_t> chosen = Chosen(scores, With(&ChooseByExchanges, inner));
      for (int64_t group = 0; group < scores.groups; ++group) {
        const uint32_t columns = chosen[static_cast<size_t>(group)];
        EXPECT_EQ(std::popcount(columns), 4);
        const double kept = brute_force.MostOf(group, columns);
        EXPECT_NEAR(kept, brute_force.MostOf(group, brute_force.Exchanged(group, columns)), 1e-5);
        EXPECT_GE(kept, brute_force.MostOf(group, LargestSums(scores, group)) - 1e-5);
      }
    }
  }
}

/// Each block has its own lane, so what stands beside it makes no difference, on any instruction set.
TEST(VnmChoiceTest, HasTheSameBitsEverywhere) {
  for (const Scores& sizes : Cases({5, 8, 11, 16})) {
    const Scores scores = Filled(sizes, Normal);
    for (const VnmInner inner : kInners) {
      for (const auto choose : {&ChooseOfAll, &ChooseByExchanges}) {
        const std::vector<uint32_t> expected = Chosen(scores, With(choose, inner));
        test::ForEachIsa([&](Isa) {
          EXPECT_EQ(Chosen(scores, With(choose, inner)), expected);
          for (const int64_t group : {int64_t{0}, scores.groups - 1}) {
            BlockRow alone = scores.blocks();
            alone.scores += group * scores.m;
            alone.groups = 1;
            uint32_t chosen = 0;
            choose(alone, inner, &chosen);
            EXPECT_EQ(chosen, expected[static_cast<size_t>(group)]);
          }
        });
      }
    }
  }
}

TEST(VnmChoiceTest, SumsNearOverflowDecideAlone) {
  for (const Scores& sizes : Cases({6, 16})) {
    const Scores scores = Filled(sizes, [](RandomSequence& random) { return Normal(random) * 1e38f; });
    test::ForEachIsa([&](Isa) {
      const std::vector<uint32_t> expected = Chosen(scores, &ChooseBySums);
      for (const VnmInner inner : kInners) {
        for (const auto choose : {&ChooseOfAll, &ChooseByExchanges}) {
          const std::vector<uint32_t> chosen = Chosen(scores, With(choose, inner));
          for (int64_t group = 0; group < scores.groups; ++group) {
            const std::vector<float> sums = SumsOf(scores, group);
            if (*std::ranges::max_element(sums) < 0x1p124f) continue;
            EXPECT_EQ(chosen[static_cast<size_t>(group)], expected[static_cast<size_t>(group)]);
          }
        }
      }
    });
  }
}

TEST(VnmChoiceTest, ANaNHarmsNoOtherBlock) {
  Scores scores = Filled({8, 40, 11}, Normal);
  for (const VnmInner inner : kInners) {
    for (const auto choose : {&ChooseOfAll, &ChooseByExchanges}) {
      Scores faulty = scores;
      for (int col = 0; col < 9; ++col) {
        faulty.values[static_cast<size_t>(3 * scores.stride() + 20 * scores.m + col)] =
            std::numeric_limits<float>::quiet_NaN();
      }
      test::ForEachIsa([&](Isa) {
        std::vector<uint32_t> expected = Chosen(scores, With(choose, inner)),
                              chosen = Chosen(faulty, With(choose, inner));
        expected[20] = chosen[20] = 0;
        EXPECT_EQ(chosen, expected);
      });
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
