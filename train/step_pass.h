#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <vector>

#include "twofour/nn/sparse_training.h"
#include "twofour/nn/step_hook.h"
#include "twofour/train/parallel/data_parallel.h"
#include "twofour/train/task.h"

namespace twofour::train {

/// What the forward and backward passes of a step give.
struct StepSums {
  double loss = 0;                ///< The mean over micro-batches.
  std::vector<double> sums = {};  ///< Task::TakeSums over the whole step.
  bool stop = false;              ///< Whether any rank was asked to stop.
};

/// Makes the forward and backward passes of a step: this rank's shards of it, and adds them up with those of others.
/// Then each parameter's gradient is with its owner. With one shard, nothing is moved.
class StepPass {
 public:
  /// Everything must outlive this object.
  StepPass(Task& task, int64_t micro_batches, const std::vector<nn::StepHook*>& hooks, nn::SparseTraining& sparse,
           DataParallel& parallel, const std::atomic<bool>* stop)
      : task_(task), micro_batches_(micro_batches), hooks_(hooks), sparse_(sparse), parallel_(parallel), stop_(stop) {}

  /// The hooks' observers see this rank's forward passes and nothing else. Stops at a loss that is not finite: then the
  /// gradients are of no use. A failure on one of several ranks is a SharedError on all.
  StepSums Run(const nn::StepContext& step);

 private:
  /// What this rank's shards give.
  struct Own {
    std::vector<std::vector<double>> numbers = {};  // Of each shard: its loss, then the task's sums.
    std::vector<std::vector<Tensor>> inputs = {};   // Of each shard: SparseTraining::TakeInputSums.
    std::exception_ptr failure = {};
    bool finite = true;
  };

  Own RunShards(const nn::StepContext& step);
  /// Returns the shard's loss. Adds up gradients where the parameters have them.
  double RunShard(const nn::StepContext& step, int64_t shard);
  StepSums SumsOf(const std::vector<double>& numbers) const;

  Task& task_;
  int64_t micro_batches_;
  const std::vector<nn::StepHook*>& hooks_;
  nn::SparseTraining& sparse_;
  DataParallel& parallel_;
  const std::atomic<bool>* stop_;
};

}  // namespace twofour::train
