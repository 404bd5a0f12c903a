#include "twofour/train/data/token_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;
using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

/// Token i is i, so that a window's contents show where it lies.
std::shared_ptr<const TokenSource> Counting(size_t size) {
  std::vector<uint16_t> ids(size);
  std::iota(ids.begin(), ids.end(), uint16_t{0});
  return std::make_shared<InMemoryTokens>(std::move(ids));
}

/// More tokens than 32 bits can number; token i is i / 2^20.
class HugeSource : public TokenSource {
 public:
  static constexpr int64_t kSize = int64_t{6} << 32;
  int64_t size() const override { return kSize; }
  void Read(int64_t offset, std::span<int32_t> out) const override {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int32_t>((offset + static_cast<int64_t>(i)) >> 20);
  }
};

/// The first token of each window, where tokens count up. Checks that all other tokens follow from it.
std::vector<int64_t> Begins(const TokenBatch& batch) {
  std::vector<int64_t> begins;
  EXPECT_EQ(batch.targets.shape(), batch.inputs.shape());
  const int64_t length = batch.inputs.cols();
  for (int64_t row = 0; row < batch.inputs.rows(); ++row) {
    const int32_t* input = batch.inputs.data<int32_t>() + row * length;
    const int32_t* target = batch.targets.data<int32_t>() + row * length;
    for (int64_t i = 0; i < length; ++i) {
      EXPECT_EQ(input[i], input[0] + i);
      EXPECT_EQ(target[i], input[i] + 1);
    }
    begins.push_back(input[0]);
  }
  return begins;
}

/// Reports after reading that its tokens have changed.
class ChangedSource : public TokenSource {
 public:
  int64_t size() const override { return 100; }
  void Read(int64_t, std::span<int32_t> out) const override {
    std::fill(out.begin(), out.end(), 1);
    was_read_ = true;
  }
  void CheckUnchanged() const override {
    if (was_read_) throw Error("changed");
  }

 private:
  mutable bool was_read_ = false;
};

TEST(TokenWindowsTest, EveryBatchIsOfAnUnchangedSource) {
  const TokenSpan span{std::make_shared<ChangedSource>(), 0, 100};
  EXPECT_THAT([&] { RandomWindows(span, 2, 8, 1).Get(0); }, ThrowsMessage<Error>("changed"));
  EXPECT_THAT([&] { SequentialWindows(span, 2, 8).Get(0); }, ThrowsMessage<Error>("changed"));
}

TEST(RandomWindowsTest, TargetsFollowInputs) {
  const RandomWindows windows({Counting(1000), 0, 1000}, 8, 16, 1);
  const TokenBatch batch = windows.Get(0);
  EXPECT_THAT(batch.inputs.shape(), ElementsAre(8, 16));
  EXPECT_EQ(batch.inputs.dtype(), DType::kI32);
  EXPECT_EQ(batch.targets.dtype(), DType::kI32);
  const std::vector<int64_t> begins = Begins(batch);
  EXPECT_GT(std::set<int64_t>(begins.begin(), begins.end()).size(), 4u);
}

TEST(RandomWindowsTest, StayWithinTheSpanAndReachBothEnds) {
  // An odd begin and an odd length; windows may begin at 101 to 110.
  const RandomWindows windows({Counting(1000), 101, 118}, 4, 7, 3);
  std::vector<int> times(10);
  constexpr int kBatches = 2500;
  for (uint64_t number = 0; number < kBatches; ++number) {
    for (const int64_t begin : Begins(windows.Get(number))) {
      ASSERT_GE(begin, 101);
      ASSERT_LE(begin, 110);
      ++times[static_cast<size_t>(begin - 101)];
    }
  }
  for (const int count : times) EXPECT_NEAR(count, 1000, 5 * std::sqrt(4 * kBatches * 0.1 * 0.9));
}

TEST(RandomWindowsTest, TheShortestSpanHoldsOneWindow) {
  const RandomWindows windows({Counting(100), 20, 25}, 3, 4, 3);
  for (uint64_t number = 0; number < 10; ++number) EXPECT_THAT(Begins(windows.Get(number)), ElementsAre(20, 20, 20));
}

TEST(RandomWindowsTest, ABatchDependsOnSeedAndNumberAlone) {
  const TokenSpan span{Counting(60000), 0, 60000};
  const RandomWindows windows(span, 8, 5, 17), resumed(span, 8, 5, 17), other(span, 8, 5, 18);
  for (uint64_t number = 0; number < 10; ++number) windows.Get(number);
  for (const uint64_t number : {uint64_t{7}, uint64_t{3}, uint64_t{1} << 40}) {
    ExpectBitEqual(resumed.Get(number).inputs, windows.Get(number).inputs);
    ExpectBitEqual(resumed.Get(number).targets, windows.Get(number).targets);
    EXPECT_NE(Begins(other.Get(number)), Begins(windows.Get(number)));
    EXPECT_NE(Begins(windows.Get(number + 1)), Begins(windows.Get(number)));
  }
}

TEST(RandomWindowsTest, ReachTokensBeyond32Bits) {
  const RandomWindows windows({std::make_shared<HugeSource>(), 0, HugeSource::kSize}, 1, 2, 5);
  constexpr int kBatches = 6000;
  std::vector<int> sixths(6);
  for (uint64_t number = 0; number < kBatches; ++number) {
    ++sixths[static_cast<size_t>(windows.Get(number).inputs.data<int32_t>()[0] >> 12)];
  }
  for (const int count : sixths) EXPECT_NEAR(count, kBatches / 6, 5 * std::sqrt(kBatches * 5.0 / 36));
}

TEST(RandomWindowsTest, Errors) {
  const auto source = Counting(100);
  EXPECT_THAT(
      [&] {
        RandomWindows({source, 30, 42}, 1, 64, 1);
      },
      ThrowsMessage<Error>("data: the training split has 12 tokens, expected at least 65 (sequence_length 64 "
                           "and one more)"));
  EXPECT_THROW(RandomWindows({source, 0, 64}, 1, 64, 1), Error);
  EXPECT_NO_THROW(RandomWindows({source, 0, 65}, 1, 64, 1));
  EXPECT_THAT(
      [&] {
        RandomWindows({source, 0, 100}, 0, 4, 1);
      },
      ThrowsMessage<Error>("batch_size: got 0, expected at least 1"));
  EXPECT_THAT(
      [&] {
        RandomWindows({source, 0, 100}, 1, 0, 1);
      },
      ThrowsMessage<Error>("sequence_length: got 0, expected at least 1"));
}

TEST(SequentialWindowsTest, WalkTheSpan) {
  // 10 targets: three windows of 3 in batches of 2, and one target left over.
  const SequentialWindows windows({Counting(100), 41, 52}, 2, 3);
  ASSERT_EQ(windows.num_batches(), 3);
  EXPECT_EQ(windows.num_tokens(), 10);
  EXPECT_THAT(windows.Get(0).inputs.shape(), ElementsAre(2, 3));
  EXPECT_THAT(Begins(windows.Get(0)), ElementsAre(41, 44));
  EXPECT_THAT(windows.Get(1).inputs.shape(), ElementsAre(1, 3));
  EXPECT_THAT(Begins(windows.Get(1)), ElementsAre(47));
  EXPECT_THAT(windows.Get(2).inputs.shape(), ElementsAre(1, 1));
  EXPECT_THAT(Begins(windows.Get(2)), ElementsAre(50));
}

TEST(SequentialWindowsTest, EveryTokenButTheFirstIsATargetOnce) {
  const auto source = Counting(100);
  for (int64_t size = 2; size < 40; ++size) {
    for (int64_t batch_size : {1, 2, 3, 50}) {
      for (int64_t length : {1, 2, 5, 39, 60}) {
        const SequentialWindows windows({source, 7, 7 + size}, batch_size, length);
        std::vector<int32_t> targets;
        for (int64_t i = 0; i < windows.num_batches(); ++i) {
          const TokenBatch batch = windows.Get(i);
          ASSERT_GT(batch.targets.numel(), 0);
          ASSERT_LE(batch.targets.rows(), batch_size);
          ASSERT_LE(batch.targets.cols(), length);
          Begins(batch);
          const int32_t* first = batch.targets.data<int32_t>();
          targets.insert(targets.end(), first, first + batch.targets.numel());
        }
        std::vector<int32_t> expected(static_cast<size_t>(size - 1));
        std::iota(expected.begin(), expected.end(), 8);
        ASSERT_EQ(targets, expected) << size << " " << batch_size << " " << length;
        ASSERT_EQ(windows.num_tokens(), size - 1);
      }
    }
  }
}

TEST(SequentialWindowsTest, TakeSpansShorterThanAWindow) {
  const SequentialWindows windows({Counting(100), 0, 5}, int64_t{1} << 62, int64_t{1} << 62);
  ASSERT_EQ(windows.num_batches(), 1);
  EXPECT_THAT(windows.Get(0).inputs.shape(), ElementsAre(1, 4));
}

TEST(SequentialWindowsTest, Errors) {
  const auto source = Counting(100);
  EXPECT_THAT(
      [&] {
        SequentialWindows({source, 3, 4}, 1, 4);
      },
      ThrowsMessage<Error>("data: the evaluation split has 1 tokens, expected at least 2 (one to predict from "
                           "another)"));
  EXPECT_THROW(SequentialWindows({source, 0, 10}, 0, 4), Error);
  EXPECT_THROW(SequentialWindows({source, 0, 10}, 1, 0), Error);
  const SequentialWindows windows({source, 0, 10}, 1, 4);
  EXPECT_THAT([&] { windows.Get(3); }, ThrowsMessage<Error>("batch 3 of the evaluation split, expected 0 to 2"));
  EXPECT_THROW(windows.Get(-1), Error);
}

}  // namespace
}  // namespace twofour::train
