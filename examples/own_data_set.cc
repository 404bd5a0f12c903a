// A data set of one's own, trained on by the Trainer with evaluations, checkpoints and metrics:
//   own_data_set FOLDER
// A second call with the same folder goes on where the first ended.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>

#include "twofour/train/classification.h"
#include "twofour/train/trainer.h"
#include "twofour/twofour.h"

using namespace twofour;

/// Points in the plane; the class says in which of three rings around the origin a point lies. Samples are made when
/// they are asked for: sample i depends on i alone, so that a resumed run sees what it would have seen.
class Rings : public train::Dataset {
 public:
  Rings(int64_t size, uint64_t seed) : size_(size), seed_(seed) {}

  int64_t size() const override { return size_; }
  int64_t features() const override { return 2; }
  int64_t num_classes() const override { return 3; }
  train::Batch Get(std::span<const int64_t> indices) const override {
    const auto count = static_cast<int64_t>(indices.size());
    Tensor inputs = Tensor::Empty({count, 2}), labels = Tensor::Empty({count}, DType::kI32);
    for (int64_t i = 0; i < count; ++i) {
      Generator gen(seed_ + static_cast<uint64_t>(indices[static_cast<size_t>(i)]));
      Tensor point = Tensor::Empty({2});
      FillUniform(point, -1.0, 1.0, gen.NextKey());
      const float x = point.data<float>()[0], y = point.data<float>()[1], radius = x * x + y * y;
      inputs.mutable_data<float>()[2 * i] = x;
      inputs.mutable_data<float>()[2 * i + 1] = y;
      labels.mutable_data<int32_t>()[i] = radius < 0.3f ? 0 : radius < 0.8f ? 1 : 2;
    }
    return {inputs, labels};
  }

 private:
  int64_t size_;
  uint64_t seed_;
};

int Run(const std::filesystem::path& folder) {
  const Rings train_data(4000, 0), eval_data(500, 1'000'000);
  Generator gen(1);
  nn::MlpStack model({.in_features = 2, .hidden_features = {64, 64}, .out_features = 3}, gen);
  nn::SwapLinearWithSemiSparseLinear(model);  // Only the layer between the hidden ones has the sizes for it.
  optim::AdamW adamw(model.Parameters(), {.lr = 1e-2f});
  train::ClassificationTask task(model, train_data, eval_data, {.batch_size = 64});

  FileSystem& files = FileSystem::Default();
  std::filesystem::create_directories(folder);
  train::JsonLinesSink metrics(files, folder / "metrics.jsonl");
  train::CheckpointStore checkpoints(files, folder / "checkpoints", /*keep=*/2);
  train::Trainer trainer(task, adamw, optim::ConstantLr(1e-2),
                         {.steps = 300, .eval_every_steps = 100, .checkpoint_every_steps = 100},
                         {.sink = &metrics, .checkpoints = &checkpoints});
  if (const auto newest = checkpoints.Newest()) {
    trainer.Restore(train::CheckpointStore::Load(files, *newest), newest->string());
    std::printf("goes on from step %lld\n", static_cast<long long>(trainer.state().step));
  }
  trainer.Run();
  const train::EvalMetrics result = trainer.Evaluate();
  std::printf("step %lld  loss %.4f  %s %.3f\n", static_cast<long long>(trainer.state().step), result.loss,
              result.details[0].first.c_str(), result.details[0].second);
  return result.details[0].second > 0.9 ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: own_data_set FOLDER\n");
    return 2;
  }
  try {
    return Run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "own_data_set: %s\n", error.what());
    return 1;
  }
}
