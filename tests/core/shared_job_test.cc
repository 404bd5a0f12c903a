#include "twofour/core/shared_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace twofour {
namespace {

using ::testing::ElementsAre;
using Clock = SharedJob::Clock;

const auto kIgnore = [](int) {};
constexpr int64_t kNoSpin = 0;

TEST(SharedJobTest, WhoOpensItDoesAllWhereNobodyHelps) {
  SharedJob job;
  std::vector<int> pieces;
  const SharedJob::Run run = [&](int piece) { pieces.push_back(piece); };
  job.Open(3, 7, run, Clock::kWall);
  EXPECT_EQ(job.RunOwn(), 7);
  job.WaitUntilDone(7, kNoSpin);  // Returns, because nobody else has begun anything.
  EXPECT_THAT(pieces, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_EQ(job.helped(), 0);
}

TEST(SharedJobTest, AHelperBeginsWithItsOwnPiecesAndGoesOnWithOthers) {
  SharedJob job;
  std::vector<int> pieces, participants;
  const SharedJob::Run run = [&](int piece) { pieces.push_back(piece); };
  job.Open(3, 6, run, Clock::kWall);
  EXPECT_EQ(job.Help(1, [&](int count) { participants.push_back(count); }), 6);
  EXPECT_THAT(pieces, ElementsAre(2, 3, 4, 5, 0, 1));
  EXPECT_THAT(participants, ElementsAre(3));
  EXPECT_EQ(job.RunOwn(), 0);
  job.WaitUntilDone(0, kNoSpin);
}

TEST(SharedJobTest, NobodyHelpsWithoutAJobOrBeyondItsNumberOfParticipants) {
  SharedJob job;
  EXPECT_EQ(job.Help(1, kIgnore), 0);
  const SharedJob::Run run = [](int) {};
  job.Open(2, 4, run, Clock::kWall);
  EXPECT_EQ(job.Help(2, kIgnore), 0);
  EXPECT_EQ(job.RunOwn(), 4);
  job.WaitUntilDone(4, kNoSpin);
  EXPECT_EQ(job.Help(1, kIgnore), 0);
}

TEST(SharedJobTest, MoreParticipantsThanQueuesAndPieces) {
  SharedJob job;
  for (const int participants : {65, 200, SharedJob::kMaxParticipants}) {
    for (const int pieces : {0, 1, 63, 64, 65, 3000}) {
      std::vector<int> counts(static_cast<size_t>(pieces));
      const SharedJob::Run run = [&](int piece) { ++counts[static_cast<size_t>(piece)]; };
      job.Open(participants, pieces, run, Clock::kProcessor);
      const int helped = job.Help(participants - 1, kIgnore);
      EXPECT_EQ(helped, pieces);
      job.WaitUntilDone(job.RunOwn(), kNoSpin);
      EXPECT_EQ(std::count(counts.begin(), counts.end(), 1), pieces);
    }
  }
}

/// A helper that is stuck in a piece holds up that piece and no other.
TEST(SharedJobTest, NobodyWaitsForAPieceThatNobodyHasBegun) {
  SharedJob job;
  std::atomic<int> done = 0;
  std::atomic<bool> stuck = false;
  std::thread::id helper_id;
  const std::thread::id here = std::this_thread::get_id();
  const SharedJob::Run run = [&](int) {
    if (std::this_thread::get_id() != here) {
      stuck = true;
      while (done < 99) std::this_thread::yield();  // Waits for all other pieces.
    }
    ++done;
  };
  job.Open(2, 100, run, Clock::kWall);
  std::thread helper([&] { EXPECT_EQ(job.Help(1, kIgnore), 1); });
  while (!stuck) std::this_thread::yield();
  const int own = job.RunOwn();
  EXPECT_EQ(own, 99);
  job.WaitUntilDone(own, kNoSpin);
  EXPECT_EQ(done, 100);
  EXPECT_GE(job.helped(), 0);
  helper.join();
}

TEST(SharedJobTest, AllPiecesRunWhereSomeThrow) {
  SharedJob job;
  int count = 0;
  const SharedJob::Run run = [&](int piece) {
    ++count;
    if (piece % 2 == 1) throw std::runtime_error("odd");
  };
  job.Open(1, 5, run, Clock::kWall);
  job.WaitUntilDone(job.RunOwn(), kNoSpin);
  EXPECT_EQ(count, 5);
  EXPECT_TRUE(job.TakeFailure() != nullptr);
  EXPECT_TRUE(job.TakeFailure() == nullptr);
}

/// Helpers come and go at any moment while jobs follow one another. Each piece runs once, and within its job.
TEST(SharedJobTest, ManyJobsOneAfterTheOther) {
  constexpr int kHelpers = 3, kJobs = 3000;
  SharedJob job;
  std::atomic<bool> stop = false;
  std::vector<std::thread> helpers;
  for (int h = 1; h <= kHelpers; ++h) {
    helpers.emplace_back([&, h] {
      while (!stop) {
        if (job.Help(h, kIgnore) == 0) std::this_thread::yield();
      }
    });
  }
  for (int j = 0; j < kJobs; ++j) {
    const int pieces = j % 17, participants = 1 + j % (kHelpers + 1);
    auto counts = std::make_unique<std::vector<int>>(static_cast<size_t>(pieces));  // Gone when the job is done.
    const SharedJob::Run run = [&](int piece) { ++(*counts)[static_cast<size_t>(piece)]; };
    job.Open(participants, pieces, run, j % 2 == 0 ? Clock::kWall : Clock::kProcessor);
    job.WaitUntilDone(job.RunOwn(), j % 3 == 0 ? kNoSpin : 20'000);
    ASSERT_EQ(std::count(counts->begin(), counts->end(), 1), pieces) << "job " << j;
  }
  stop = true;
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace
}  // namespace twofour
