#include "twofour/train/final_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::ReadTextFile;
using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A sparse MLP whose masks are searched for every third step, so at most steps they are older than the weights.
class FinalModelTest : public ::testing::Test {
 protected:
  FinalModelTest() {
    nn::SwapLinearWithSemiSparseLinear(mlp_, {.sparsity = {.interval = 3}});
    for (int64_t step = 0; step <= 5; ++step) {
      for (const auto& [name, layer] : nn::FindSemiSparseLinears(mlp_)) {
        layer->SetOptimizerStep(step);
        layer->mask();
      }
      store_.Save({nn::StateDict(mlp_), {{"step", Tensor::Scalar(step, DType::kI32)}}, {.step = step}});
      exported_.push_back(Clone(ExportModel(mlp_, ExportWeights::kDenseWithMasks)));
      for (Tensor parameter : mlp_.Parameters()) {
        FillUniform(parameter, -1, 1, {.seed = 7, .stream = static_cast<uint32_t>(step)});
      }
    }
  }

  static std::vector<NamedTensor> Clone(std::vector<NamedTensor> tensors) {
    for (NamedTensor& named : tensors) named.tensor = named.tensor.Clone();
    return tensors;
  }

  void ExpectExportOf(int64_t step) {
    const SafetensorsFile file = LoadSafetensors(files_, run_.model());
    EXPECT_EQ(file.metadata.at("step"), std::to_string(step));
    for (const NamedTensor& named : exported_[step]) {
      ASSERT_NE(file.Find(named.name), nullptr) << named.name;
      EXPECT_EQ(file.Find(named.name)->ToVector(), named.tensor.ToVector()) << named.name;
    }
  }

  TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
  RunFiles run_{dir_.path()};
  CheckpointStore store_{files_, run_.checkpoints(), 10};
  Generator generator_{1};
  nn::Mlp mlp_{{.in_features = 16, .hidden_features = 32, .out_features = 16}, generator_};
  std::vector<std::vector<NamedTensor>> exported_;
};

TEST_F(FinalModelTest, TheBestIsThatCheckpointsWeightsAndMasks) {
  for (const int64_t best : {1, 2, 3, 4}) {
    const TrainerState state{.step = 5, .best_step = best, .best_loss = 0.5};
    EXPECT_EQ(FinalModelStep(state, {.best = true}), best);
    SaveFinalModel(files_, run_, mlp_, state, {.best = true});
    ExpectExportOf(best);
  }
}

TEST_F(FinalModelTest, TheBestCanBePruned) {
  SaveFinalModel(files_, run_, mlp_, {.step = 5, .best_step = 2}, {.best = true, .weights = ExportWeights::kPruned});
  const SafetensorsFile file = LoadSafetensors(files_, run_.model());
  EXPECT_EQ(file.Find("c_fc.weight_mask"), nullptr);
  const std::vector<float> pruned = file.Find("c_fc.weight")->ToVector();
  std::vector<float> weight, mask;
  for (const NamedTensor& named : exported_[2]) {
    if (named.name == "c_fc.weight") weight = named.tensor.ToVector();
    if (named.name == "c_fc.weight_mask") mask = named.tensor.ToVector();
  }
  for (size_t i = 0; i < pruned.size(); ++i) ASSERT_EQ(pruned[i], mask[i] * weight[i]);
}

TEST_F(FinalModelTest, WhereTheLastStepIsTheBestOrNoneIsNoCheckpointIsRead) {
  nn::LoadStateDict(mlp_, CheckpointStore::LoadModel(files_, *store_.Find(5)), "checkpoint");
  files_.RemoveAll(run_.checkpoints());
  for (const int64_t best : {5, 0}) {
    SaveFinalModel(files_, run_, mlp_, {.step = 5, .best_step = best}, {.best = true});
    ExpectExportOf(5);
  }
  SaveFinalModel(files_, run_, mlp_, {.step = 5, .best_step = 2}, {.best = false});
  ExpectExportOf(5);
}

TEST_F(FinalModelTest, AMissingOrDamagedCheckpointSaysWhatToDo) {
  files_.RemoveAll(*store_.Find(2));
  const auto message =
      AllOf(HasSubstr("checkpoint.final is BEST, but "), HasSubstr("checkpoints/step-5/model.safetensors"));
  EXPECT_ERROR(SaveFinalModel(files_, run_, mlp_, {.step = 5, .best_step = 2}, {.best = true}),
               ErrorKind::kInvalidInput, AllOf(message, HasSubstr("there is no checkpoint of step 2")));
  std::string bytes = ReadTextFile(*store_.Find(3) / "model.safetensors");
  bytes.back() ^= 1;
  test::WriteTextFile(*store_.Find(3) / "model.safetensors", bytes);
  EXPECT_ERROR(SaveFinalModel(files_, run_, mlp_, {.step = 5, .best_step = 3}, {.best = true}),
               ErrorKind::kInvalidInput, AllOf(message, HasSubstr("damaged")));
  EXPECT_FALSE(files_.Exists(run_.model()));
}

}  // namespace
}  // namespace twofour::train
