// Training over ranks: the same bits of weights, masks, optimizer state and records for any number of ranks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "twofour/nn/gpt.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/optimizer_list.h"
#include "twofour/train/classification.h"
#include "twofour/train/language_model.h"

#include "tests/support/tensors.h"
#include "tests/train/classification_job.h"
#include "tests/train/parallel/ranked_job.h"

namespace twofour::train {
namespace {

using nn::MaskedDecay;
using nn::SemiSparseOptions;
using sparse::MaskMethod;
using sparse::MaskPlan;
using test::ExpectSameFiles;
using test::FilesIn;
using test::RankJob;
using test::TrainOnRanks;

const InMemoryDataset& TrainData() {
  static const InMemoryDataset data = test::MakeData(200, 1);
  return data;
}
const InMemoryDataset& EvalData() {
  static const InMemoryDataset data = test::MakeData(70, 2);
  return data;
}

struct Case {
  std::string name;
  std::optional<SemiSparseOptions> sparsity = SemiSparseOptions{};
  DType activations = DType::kF32;
  bool muon = false;
  double dropout = 0;
};

RankJob MakeMlp(const Case& which) {
  Generator generator(5);
  RankJob job;
  job.model = std::make_unique<nn::ResidualMlp>(nn::ResidualMlpOptions{.in_features = 16,
                                                                       .width = 16,
                                                                       .hidden_features = 32,
                                                                       .num_blocks = 2,
                                                                       .out_features = 4,
                                                                       .dropout = which.dropout},
                                                generator);
  job.model->SetActivationDType(which.activations);
  if (which.sparsity) {
    nn::SwapLinearWithSemiSparseLinear(*job.model, {.include = ".*mlp.*", .sparsity = *which.sparsity});
  }
  if (which.muon) {
    optim::ParameterGroup matrices, rest;
    for (const NamedTensor& parameter : job.model->NamedParameters()) {
      (parameter.tensor.rank() == 2 ? matrices : rest).parameters.push_back(parameter);
    }
    std::vector<std::unique_ptr<optim::Optimizer>> parts;
    parts.push_back(std::make_unique<optim::Muon>(std::vector{matrices}, optim::MuonOptions{.lr = 1e-2}));
    parts.push_back(std::make_unique<optim::AdamW>(std::vector{rest}, optim::AdamWOptions{.lr = 1e-2}));
    job.optimizer = std::make_unique<optim::OptimizerList>(std::move(parts));
  } else {
    job.optimizer = std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(job.model->NamedParameters(), 0.01),
                                                   optim::AdamWOptions{.lr = 1e-2});
  }
  job.task = std::make_unique<ClassificationTask>(*job.model, TrainData(), EvalData(),
                                                  ClassificationOptions{.batch_size = 5, .eval_batch_size = 9});
  return job;
}

TrainerOptions Options(int64_t shards = 8) {
  return {.steps = 7,
          .accumulate_steps = 2 * shards,
          .shards = shards,
          .clip_grad_norm = 0.5,
          .eval_every_steps = 3,
          .log_every_steps = 2,
          .checkpoint_every_steps = 4,
          .histogram_every_steps = 3};
}

std::vector<Case> Cases() {
  using Place = MaskedDecay::Place;
  std::vector<Case> cases{
      {"dense", std::nullopt},
      {"transposable", SemiSparseOptions{}},
      {"bf16", SemiSparseOptions{}, DType::kBF16},
      {"muon", SemiSparseOptions{}, DType::kF32, true},
      {"dropout", SemiSparseOptions{}, DType::kF32, false, 0.2},
      {"sr-ste", SemiSparseOptions{.masked_decay = {.lambda = 0.1, .place = Place::kGradient}}},
      {"decay of the weight, rare searches",
       SemiSparseOptions{.interval = 3, .masked_decay = {.lambda = 0.1, .place = Place::kWeight}}},
      {"frozen masks and gradients", SemiSparseOptions{.interval = 2, .freeze_step = 3, .freeze_gradient = true}},
      {"N-decay",
       SemiSparseOptions{.plan = MaskPlan({.stages = {{2, 3}, {5, 2}}, .nested_stages = true}), .interval = 2}},
      {"S-STE", SemiSparseOptions{.plan = MaskPlan({.method = MaskMethod::kRows, .first_sparse_step = 2}),
                                  .soft_threshold = true}},
      {"V:N:M", SemiSparseOptions{.plan = MaskPlan({.method = MaskMethod::kVnm, .vnm = {4, 2, 8}}), .interval = 2}},
      {"random masks", SemiSparseOptions{.plan = MaskPlan({.method = MaskMethod::kRandom}), .key = {3, 77}}},
  };
  for (const auto score : {sparse::MaskScore::kWanda, sparse::MaskScore::kRia, sparse::MaskScore::kObs,
                           sparse::MaskScore::kGradient, sparse::MaskScore::kGblm}) {
    cases.push_back({"score " + std::string(NameOf(score)), SemiSparseOptions{.score = score, .interval = 2}});
  }
  return cases;
}

TEST(TrainerRanksTest, AnyNumberOfRanksGivesTheSameBits) {
  for (const Case& which : Cases()) {
    const auto make = [&which] { return MakeMlp(which); };
    const test::TempDir dir;
    TrainOnRanks(1, make, Options(), dir / "1");
    ASSERT_TRUE(std::filesystem::exists(dir / "1/step-7/model.safetensors"));
    for (const int ranks : {2, 4, 8}) {
      const std::filesystem::path folder = dir / std::to_string(ranks);
      TrainOnRanks(ranks, make, Options(), folder);
      SCOPED_TRACE(which.name);
      ExpectSameFiles(folder, dir / "1");
    }
  }
}

TEST(TrainerRanksTest, ShardsThatAreNoPowerOfTwo) {
  const auto make = [] { return MakeMlp({.name = "transposable"}); };
  for (const int64_t shards : {3, 5, 6, 12}) {
    const test::TempDir dir;
    TrainOnRanks(1, make, Options(shards), dir / "1");
    for (int ranks = 2; ranks <= shards; ++ranks) {
      if (shards % ranks != 0) continue;
      const std::filesystem::path folder = dir / std::to_string(ranks);
      TrainOnRanks(ranks, make, Options(shards), folder);
      SCOPED_TRACE(testing::Message() << shards << " shards, " << ranks << " ranks");
      ExpectSameFiles(folder, dir / "1");
    }
  }
}

TEST(TrainerRanksTest, ManyThreadsSlowMessagesAndNoOverlapChangeNothing) {
  const auto make = [] { return MakeMlp({.name = "transposable"}); };
  const test::TempDir dir;
  TrainOnRanks(1, make, Options(4), dir / "1");
  {
    const test::ScopedNumThreads threads(3);
    TrainOnRanks(4, make, Options(4), dir / "threads");
    ExpectSameFiles(dir / "threads", dir / "1");
  }
  TrainOnRanks(4, make, Options(4), dir / "slow", {},
               {.least_delay_seconds = 0, .most_delay_seconds = 2e-3, .seed = 1});
  ExpectSameFiles(dir / "slow", dir / "1");
  TrainOnRanks(4, make, Options(4), dir / "alone", {}, {}, {.overlap = false});
  ExpectSameFiles(dir / "alone", dir / "1");
}

TEST(TrainerRanksTest, ARunGoesOnWithAnotherNumberOfRanks) {
  for (const Case& which :
       {Case{"transposable"}, Case{"muon", SemiSparseOptions{}, DType::kF32, true},
        Case{"wanda", SemiSparseOptions{.score = sparse::MaskScore::kWanda, .interval = 2}},
        Case{"decay", SemiSparseOptions{.interval = 3, .masked_decay = {0.1, MaskedDecay::Place::kWeight}}}}) {
    const auto make = [&which] { return MakeMlp(which); };
    const test::TempDir dir;
    TrainOnRanks(1, make, Options(), dir / "1");
    auto expected = FilesIn(dir / "1");
    TrainOnRanks(4, make, Options(), dir / "4");
    for (const int ranks : {1, 2, 8}) {
      const std::filesystem::path folder = dir / ("from_4_to_" + std::to_string(ranks));
      TrainOnRanks(ranks, make, Options(), folder, dir / "4" / "step-4");
      for (const auto& [name, text] : FilesIn(folder)) {
        if (name == "metrics.jsonl") continue;  // It begins at step 5.
        EXPECT_EQ(text == expected[name], true) << which.name << ", " << ranks << ": " << name;
      }
    }
  }
}

TEST(TrainerRanksTest, LanguageModels) {
  std::vector<uint16_t> ids;
  for (uint16_t i = 0; i < 500; ++i) ids.push_back(static_cast<uint16_t>(i * i % 11));
  const TokenData data{.train = {std::make_shared<InMemoryTokens>(ids), 0, 447},
                       .eval = {std::make_shared<InMemoryTokens>(ids), 447, 500},
                       .vocab_size = 11,
                       .vocabulary = std::nullopt,
                       .eval_bytes_per_token = 2,
                       .description = "numbers"};
  for (const DType activations : {DType::kF32, DType::kBF16}) {
    for (const bool tied : {false, true}) {
      const auto make = [&] {
        Generator generator(1);
        RankJob job;
        auto gpt = std::make_unique<nn::Gpt>(
            nn::GptOptions{.vocab_size = 11,
                           .sequence_length = 8,
                           .depth = 2,
                           .width = 16,
                           .heads = 2,
                           .positions = tied ? nn::Positions::kLearned : nn::Positions::kRotary,
                           .tied_head = tied},
            generator);
        gpt->SetActivationDType(activations);
        nn::SwapLinearWithSemiSparseLinear(*gpt, {.include = ".*mlp.*"});
        std::vector<NamedTensor> parameters = gpt->NamedParameters();
        if (tied) std::erase_if(parameters, [](const NamedTensor& p) { return p.name == "lm_head.weight"; });
        job.optimizer =
            std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(parameters, 0.01), optim::AdamWOptions{.lr = 1e-2});
        job.task = std::make_unique<LanguageModelTask>(*gpt, data, LanguageModelOptions{.batch_size = 3});
        job.model = std::move(gpt);
        return job;
      };
      const test::TempDir dir;
      TrainOnRanks(1, make, Options(4), dir / "1");
      for (const int ranks : {2, 4}) {
        const std::filesystem::path folder = dir / std::to_string(ranks);
        TrainOnRanks(ranks, make, Options(4), folder);
        SCOPED_TRACE(testing::Message() << ranks << " ranks, " << NameOf(activations) << (tied ? ", tied" : ""));
        ExpectSameFiles(folder, dir / "1");
      }
    }
  }
}

}  // namespace
}  // namespace twofour::train
