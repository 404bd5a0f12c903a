// What ranks send each other in a step, against a formula.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "twofour/comm/thread_network.h"
#include "twofour/train/parallel/owners.h"

#include "tests/train/classification_job.h"
#include "tests/train/parallel/ranked_job.h"

namespace twofour::train {
namespace {

struct Sizes {
  int64_t parameters = 0, elements = 0, matrix_elements = 0;
  int64_t masked_elements = 0;  // Of weights with masks.
  int64_t most_owned = 0;       // Parameters of the rank that owns most.
};

struct Setup {
  nn::SemiSparseOptions sparsity;
  DType activations = DType::kF32;
};

test::RankJob Make(const Setup& setup, Sizes* sizes, int ranks) {
  static const InMemoryDataset train = test::MakeData(200, 1), eval = test::MakeData(70, 2);
  Generator generator(5);
  test::RankJob job;
  job.model = std::make_unique<nn::ResidualMlp>(
      nn::ResidualMlpOptions{.in_features = 16, .width = 16, .hidden_features = 32, .num_blocks = 2, .out_features = 4},
      generator);
  job.model->SetActivationDType(setup.activations);
  nn::SwapLinearWithSemiSparseLinear(*job.model, {.include = ".*mlp.*", .sparsity = setup.sparsity});
  job.optimizer =
      std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(job.model->NamedParameters(), 0), optim::AdamWOptions{});
  job.task = std::make_unique<ClassificationTask>(*job.model, train, eval, ClassificationOptions{.batch_size = 5});
  if (sizes == nullptr) return job;
  std::vector<double> costs;
  for (const Tensor& parameter : job.model->Parameters()) {
    ++sizes->parameters;
    sizes->elements += parameter.numel();
    if (parameter.rank() > 1) sizes->matrix_elements += parameter.numel();
    costs.push_back(static_cast<double>(parameter.numel()));
  }
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(*job.model)) {
    sizes->masked_elements += layer->weight().numel();
  }
  const std::vector<int> owners = AssignOwners(costs, ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    sizes->most_owned = std::max<int64_t>(sizes->most_owned, std::ranges::count(owners, rank));
  }
  return job;
}

/// The bytes that all ranks together send in the last of `steps` steps.
int64_t BytesOfLastStep(const Setup& setup, int ranks, int64_t steps, int64_t shards) {
  const auto run = [&](int64_t count) {
    std::atomic<int64_t> bytes = 0;
    comm::ThreadNetwork network(ranks, {.stack_bytes = size_t{8} << 20});
    network.Run([&](comm::Communicator& rank) {
      const test::RankJob job = Make(setup, nullptr, ranks);
      Trainer trainer(
          *job.task, *job.optimizer, optim::ConstantLr(1e-2),
          {.steps = count, .accumulate_steps = shards, .shards = shards, .eval_every_steps = 0, .log_every_steps = 0},
          {.ranks = &rank});
      trainer.Run();
      bytes += rank.sent().bytes;
    });
    return bytes.load();
  };
  return run(steps) - run(steps - 1);
}

int64_t SmallMessages(const Sizes& sizes, int64_t ranks, int64_t shards) {
  const int64_t flags = 16, loss_and_accuracy = 8 * 3 * shards / ranks, norms = 8 * sizes.most_owned;
  return ranks * (ranks - 1) * (flags + loss_and_accuracy + norms);
}

TEST(TrainerTrafficTest, IsThatOfTheFormula) {
  for (const int ranks : {2, 4, 8}) {
    Sizes sizes;
    Make({}, &sizes, ranks);
    const int64_t gradients = 4 * sizes.elements + sizes.parameters, weights = 4 * sizes.elements;
    const int64_t masks = 2 * sizes.masked_elements / 16;
    EXPECT_EQ(BytesOfLastStep({}, ranks, 4, 8),
              (ranks - 1) * (gradients + weights + masks) + SmallMessages(sizes, ranks, 8))
        << ranks;
    // No search is due in the last step.
    EXPECT_EQ(BytesOfLastStep({.sparsity = {.interval = 100}}, ranks, 4, 8),
              (ranks - 1) * (gradients + weights) + SmallMessages(sizes, ranks, 8))
        << ranks;
  }
}

TEST(TrainerTrafficTest, FrozenGradientsTravelAtHalfTheSize) {
  Sizes sizes;
  Make({}, &sizes, 4);
  const int64_t gradients = 4 * (sizes.elements - sizes.masked_elements / 2) + sizes.parameters;
  EXPECT_EQ(BytesOfLastStep({.sparsity = {.freeze_step = 2, .freeze_gradient = true}}, 4, 5, 8),
            3 * (gradients + 4 * sizes.elements) + SmallMessages(sizes, 4, 8));
}

TEST(TrainerTrafficTest, InBf16MatricesTravelAtHalfTheSize) {
  Sizes sizes;
  Make({}, &sizes, 4);
  const int64_t vectors = sizes.elements - sizes.matrix_elements;
  // In the last step weights follow in f32, because the run ends there: as if nothing had been saved in it. So the
  // difference of two runs is that of a step in the middle.
  EXPECT_EQ(BytesOfLastStep({.sparsity = {.interval = 100}, .activations = DType::kBF16}, 4, 5, 8),
            3 * (4 * sizes.elements + sizes.parameters + 2 * sizes.matrix_elements + 4 * vectors) +
                SmallMessages(sizes, 4, 8));
}

}  // namespace
}  // namespace twofour::train
