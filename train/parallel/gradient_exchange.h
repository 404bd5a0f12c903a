#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/train/parallel/background_tasks.h"
#include "twofour/train/parallel/shard_sums.h"
#include "twofour/train/parallel/shard_tree.h"

namespace twofour::train {

/// How long ranks have talked to each other about gradients.
struct ExchangeTime {
  double busy = 0;    ///< Seconds of all exchanges.
  double waited = 0;  ///< Seconds that training stood still for them: those that backward passes did not hide.
};

/// Adds up the gradients of parameters over the shards of a step, on one rank or on several, and leaves each sum with
/// the rank that owns the parameter (Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter
/// Models", 2020, stage 1). The sums have the same bits on any number of ranks (ShardTree).
///
/// Parameters are exchanged in buckets, the last ones first, because backward passes complete their gradients first
/// (Li et al., "PyTorch Distributed", 2020). The last backward pass of a step goes on meanwhile.
class GradientExchange {
 public:
  struct Options {
    int64_t bucket_elements = int64_t{1} << 21;
    bool overlap = true;  ///< Off: exchanges wait for the end of the last backward pass.
  };

  /// Of these f32 parameters, each of which occurs once. owners[i] is the rank of parameter i.
  GradientExchange(comm::Communicator& ranks, std::shared_ptr<const ShardTree> tree, std::vector<Tensor> parameters,
                   std::vector<int> owners, const Options& options);

  /// Begins a step. masks[i] tells which entries of the gradient of parameter i are needed; null: all. Other entries
  /// are not sent, and are 0 in the sum. All ranks must give the same masks, which must live until Finish().
  void Begin(const std::vector<const sparse::Mask*>& masks);
  /// Runs the last backward pass of the step on this rank, and begins to exchange what it has completed.
  void LastBackward(const Tensor& loss);
  /// Takes the gradients of a shard away from the parameters. To be called after each shard's last backward pass.
  void EndShard(int64_t shard);
  /// Ends the step: waits until the sums are there, and makes each the gradient of its parameter on the owner. Others
  /// have none then.
  void Finish();
  /// Ends a step that has failed on this rank, so that no other one waits for it. The sums are of no use then.
  void GiveUp();

  const ExchangeTime& time() const { return time_; }

 private:
  void TakeGradient(size_t parameter, int64_t shard);
  void OnComplete(const Tensor::Impl& leaf);
  /// Exchanges buckets whose parameters have given the gradients of their last shard.
  void SendComplete();
  void JoinBucket(size_t bucket);

  comm::Communicator& ranks_;
  std::shared_ptr<const ShardTree> tree_;
  std::vector<Tensor> parameters_;
  std::vector<int> owners_;
  bool overlap_;
  std::unordered_map<const Tensor::Impl*, size_t> index_;
  std::vector<std::vector<size_t>> buckets_;  // Parameters, in the order in which they are exchanged.
  ShardSums sums_;
  std::vector<const sparse::Mask*> masks_;
  std::vector<int64_t> taken_;  // For each parameter, the shards that it has given.
  size_t next_bucket_ = 0;
  ExchangeTime time_;
  std::unique_ptr<BackgroundTasks> background_;  // Null where there is nobody to talk to. It uses the others.
};

}  // namespace twofour::train
