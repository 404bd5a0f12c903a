// What trainer.json holds beside the step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/train/checkpoint.h"

#include "tests/support/expect_error.h"
#include "tests/support/text_file.h"
#include "tests/train/checkpoint_fixture.h"

namespace twofour::train {
namespace {

using test::CheckpointFixture;
using test::MakeData;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::HasSubstr;
using ::testing::Not;

class CheckpointStateTest : public CheckpointFixture {};

TEST_F(CheckpointStateTest, TheBestEvaluationComesBackAndAnOlderCheckpointHasOnlyTheBestStep) {
  CheckpointStore store(files_, dir_.path(), 3);
  CheckpointData data = MakeData(7, 3);
  data.state.best_evaluation = {4, 0.1, 2};
  store.Save(data);
  const auto best = [&] { return CheckpointStore::Load(files_, dir_ / "step-7").state.best_evaluation; };
  EXPECT_EQ(best().step, 4);
  EXPECT_EQ(best().loss, 0.1);
  EXPECT_EQ(best().evaluations_since, 2);
  WriteTextFile(dir_ / "step-7/trainer.json", "{\"step\":7,\"best_step\":3,\"best_loss\":0.5}");
  EXPECT_EQ(best().step, 3);
  EXPECT_EQ(best().loss, 0.5);
  EXPECT_EQ(best().evaluations_since, 0);
  for (const char* damaged :
       {"3", "{}", "{\"step\":-1,\"loss\":0,\"evaluations_since\":0}",
        "{\"step\":1,\"loss\":null,\"evaluations_since\":0}", "{\"step\":1,\"loss\":0,\"evaluations_since\":0.5}"}) {
    WriteTextFile(dir_ / "step-7/trainer.json",
                  "{\"step\":7,\"best_step\":3,\"best_loss\":0.5,\"best_evaluation\":" + std::string(damaged) + "}");
    EXPECT_ERROR(best(), ErrorKind::kInvalidInput, HasSubstr("trainer.json: damaged: expected best_evaluation"));
  }
}

TEST_F(CheckpointStateTest, TheBestScheduledEvaluationIsWrittenWhereItIsAnother) {
  CheckpointStore store(files_, dir_.path(), 3);
  CheckpointData data = MakeData(7, 3);
  const auto read = [&] { return CheckpointStore::Load(files_, dir_ / "step-7").state; };
  data.state.best_evaluation = data.state.best_scheduled = {4, 0.1, 2};
  store.Save(data);
  EXPECT_THAT(ReadTextFile(dir_ / "step-7/trainer.json"), Not(HasSubstr("best_scheduled")));
  EXPECT_EQ(read().best_scheduled, (BestEvaluation{4, 0.1, 2}));
  data.state.best_scheduled = {2, 0.2, 1};
  store.Save(data);
  EXPECT_EQ(read().best_evaluation, (BestEvaluation{4, 0.1, 2}));
  EXPECT_EQ(read().best_scheduled, (BestEvaluation{2, 0.2, 1}));
  data.state.best_scheduled = {};  // There is none yet: the run ended before the first one.
  store.Save(data);
  EXPECT_EQ(read().best_scheduled, BestEvaluation{});
  WriteTextFile(dir_ / "step-7/trainer.json", "{\"step\":7,\"best_step\":3,\"best_loss\":0.5,\"best_scheduled\":3}");
  EXPECT_ERROR(read(), ErrorKind::kInvalidInput, HasSubstr("trainer.json: damaged: expected best_scheduled"));
}

TEST_F(CheckpointStateTest, TheSecondsOfTrainingComeBackAndAnOlderCheckpointHasNone) {
  CheckpointStore store(files_, dir_.path(), 3);
  CheckpointData data = MakeData(7);
  const auto read = [&] { return CheckpointStore::Load(files_, dir_ / "step-7").state.training_seconds; };
  for (const double seconds : {0.0, 0.1, 12345678.0625}) {
    data.state.training_seconds = seconds;
    store.Save(data);
    EXPECT_EQ(read(), seconds);
  }
  data.state.training_seconds.reset();
  store.Save(data);
  EXPECT_EQ(read(), std::nullopt);
  WriteTextFile(dir_ / "step-7/trainer.json", "{\"step\":7,\"best_step\":3,\"best_loss\":0.5}");
  EXPECT_EQ(read(), std::nullopt);
  for (const char* damaged : {"null", "\"1\"", "[1]", "true"}) {
    WriteTextFile(dir_ / "step-7/trainer.json",
                  "{\"step\":7,\"best_step\":3,\"best_loss\":0.5,\"training_seconds\":" + std::string(damaged) + "}");
    EXPECT_ERROR(read(), ErrorKind::kInvalidInput,
                 HasSubstr("trainer.json: damaged: expected training_seconds to be a number"));
  }
}

TEST_F(CheckpointStateTest, WhatIsPrunedComesBackAndAnOlderCheckpointDoesNotTell) {
  CheckpointStore store(files_, dir_.path(), 3);
  CheckpointData data = MakeData(7);
  const auto read = [&] { return CheckpointStore::Load(files_, dir_ / "step-7").state.sparsity; };
  for (const SparsityState& sparsity : {SparsityState{}, {"1a2b", 5, 6}}) {
    data.state.sparsity = sparsity;
    store.Save(data);
    EXPECT_EQ(read(), sparsity);
  }
  const std::string begin = "{\"step\":7,\"best_step\":3,\"best_loss\":0.5";
  WriteTextFile(dir_ / "step-7/trainer.json", begin + "}");
  EXPECT_EQ(read(), std::nullopt);
  for (const char* damaged : {"null", "\"1\"", "{}", R"({"id":1,"settles_at":1,"compare_from":1})",
                              R"({"id":"a","settles_at":-1,"compare_from":1})", R"({"id":"a","settles_at":1})"}) {
    WriteTextFile(dir_ / "step-7/trainer.json", begin + ",\"sparsity\":" + std::string(damaged) + "}");
    EXPECT_ERROR(read(), ErrorKind::kInvalidInput,
                 HasSubstr("trainer.json: damaged: expected sparsity to be an object"));
  }
}

}  // namespace
}  // namespace twofour::train
