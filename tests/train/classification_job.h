#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"
#include "twofour/train/classification.h"
#include "twofour/train/trainer.h"

namespace twofour::test {

class MockSink : public train::MetricSink {
 public:
  MOCK_METHOD(void, OnTrain, (const train::TrainMetrics&), (override));
  MOCK_METHOD(void, OnEval, (const train::EvalMetrics&), (override));
  MOCK_METHOD(void, OnSparsity, (const train::SparsityMetrics&), (override));
  MOCK_METHOD(void, OnActivation, (const train::ActivationMetrics&), (override));
};

/// Points in 16 dimensions whose class is the largest of their first four coordinates.
inline train::InMemoryDataset MakeData(int64_t size, uint64_t seed) {
  Tensor inputs = Tensor::Empty({size, 16});
  FillNormal(inputs, 0, 1, {seed, 1, 0});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < size; ++i) {
    const float* row = inputs.data<float>() + i * 16;
    labels.push_back(static_cast<int32_t>(std::max_element(row, row + 4) - row));
  }
  return {inputs, Tensor::FromVector(labels, {size}), 4};
}

struct JobSetup {
  bool sparse = true;
  int64_t interval = 1;
  double dropout = 0;
  double lr = 1e-2;
  train::ClassificationOptions task = {.batch_size = 20, .eval_batch_size = 32};
};

/// A model, an optimizer and data that are the same each time.
class Job {
 public:
  explicit Job(train::TrainerOptions options = {}, JobSetup setup = {}, train::TrainerServices services = {}) {
    Generator generator(5);
    model_ = std::make_unique<nn::ResidualMlp>(nn::ResidualMlpOptions{.in_features = 16,
                                                                      .width = 16,
                                                                      .hidden_features = 32,
                                                                      .num_blocks = 2,
                                                                      .out_features = 4,
                                                                      .dropout = setup.dropout},
                                               generator);
    if (setup.sparse) {
      nn::SwapLinearWithSemiSparseLinear(*model_, {.include = ".*mlp.*", .sparsity = {.interval = setup.interval}});
    }
    optimizer_ = std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(model_->NamedParameters(), 0.01),
                                                optim::AdamWOptions{.lr = setup.lr});
    task_ = std::make_unique<train::ClassificationTask>(*model_, train_, eval_, setup.task);
    trainer_ = std::make_unique<train::Trainer>(*task_, *optimizer_, optim::ConstantLr(setup.lr), options, services);
  }

  train::Trainer& trainer() { return *trainer_; }
  nn::Module& model() { return *model_; }
  optim::Optimizer& optimizer() { return *optimizer_; }
  train::Task& task() { return *task_; }

  std::vector<std::vector<float>> Weights() {
    std::vector<std::vector<float>> weights;
    for (const Tensor& parameter : model_->Parameters()) weights.push_back(parameter.ToVector());
    return weights;
  }

 private:
  train::InMemoryDataset train_ = MakeData(200, 1), eval_ = MakeData(70, 2);
  std::unique_ptr<nn::ResidualMlp> model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<train::ClassificationTask> task_;
  std::unique_ptr<train::Trainer> trainer_;
};

inline train::TrainerOptions ShortRun() { return {.steps = 12, .eval_every_steps = 5, .log_every_steps = 4}; }

}  // namespace twofour::test
