#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/parallel/gradient_exchange.h"
#include "twofour/train/parallel/owned_state.h"
#include "twofour/train/parallel/owner_broadcast.h"
#include "twofour/train/parallel/shard_tree.h"

namespace twofour::train {

/// What each rank owns of a model in training, and how ranks give each other the rest. Every rank has the whole model.
/// Each parameter has one owner, which alone gets its gradient, keeps its optimizer state, makes its update and finds
/// its mask, and then tells the others. Matrices are never divided. All functions are collective.
class DataParallel {
 public:
  struct Options {
    int64_t shards = 1;
    GradientExchange::Options exchange = {};
    /// Where products round weights to bf16 anyway, those that only products read (ProductWeights) travel in bf16 after
    /// each step. Ranks have the rest of those of others only after ShareMasters.
    bool rounds_weights = false;
  };

  /// For the parameters of `model` that require a gradient, and its layers with masks. Everything must outlive this
  /// object, and no layer may be swapped meanwhile. Throws Error unless the number of ranks divides that of shards.
  DataParallel(comm::Communicator& ranks, nn::Module& model, const optim::Optimizer& optimizer, const Options& options);

  comm::Communicator& ranks() const { return ranks_; }
  const ShardTree& tree() const { return *tree_; }
  /// Whether gradients can stay where backward passes put them: there is one shard.
  bool is_trivial() const { return tree_->shards() == 1; }

  /// Called before the first forward pass of a step. `spares_masked`: gradients that will be dropped anyway, because
  /// masks are frozen, are not sent.
  void BeginStep(bool spares_masked);
  GradientExchange& gradients() { return *gradients_; }
  const GradientExchange& gradients() const { return *gradients_; }

  /// The squared norm of each parameter's gradient, with every rank; nothing for those without a gradient.
  std::vector<std::optional<double>> SquaredNorms();
  /// After the owners have updated the parameters that have `gradients`: copies them to all ranks.
  void ShareWeights(const std::vector<std::optional<double>>& gradients);
  /// Copies what ShareWeights has rounded away, so that every rank has all weights in f32. To be called before anything
  /// but a forward pass reads them.
  void ShareMasters();
  /// Finds the masks that are due, each on its owner, and copies them to all ranks. Packs the weights of sparse
  /// products.
  void RefreshMasks();
  /// Copies all gradients to the first rank. On other ranks they stay as they are.
  void GatherGradients();

  /// Adds up over shards what each rank has of its own shards, in the order of shards: with every rank.
  std::vector<double> SumOverShards(const std::vector<std::vector<double>>& own) const;
  /// Adds up f64 tensors, one for each of layers(), over shards. own[s] are those of this rank's shard s; undefined
  /// ones do not count. Returns the sums of the layers whose masks this rank owns. All ranks know `sizes`, the elements
  /// of each.
  std::vector<Tensor> SumOverShards(std::vector<std::vector<Tensor>> own, const std::vector<int64_t>& sizes) const;

  /// What a single process would save. Complete on the first rank alone.
  CheckpointData GatherState(const optim::Optimizer& optimizer, const TrainerState& state) const;
  /// The part of an optimizer's state dict that this rank needs.
  std::vector<NamedTensor> OwnPartOf(const std::vector<NamedTensor>& optimizer_state) const;

  const std::vector<nn::NamedSemiSparseLinear>& layers() const { return layers_; }

 private:
  bool Owns(size_t parameter) const { return owners_[parameter] == ranks_.rank(); }
  void AssignParameters(const optim::Optimizer& optimizer);
  void AssignMasks();

  comm::Communicator& ranks_;
  nn::Module& model_;
  std::shared_ptr<const ShardTree> tree_;
  std::vector<Tensor> parameters_;  // Each once, in the order of the model.
  std::vector<int> owners_;         // For each of parameters_.
  std::vector<nn::NamedSemiSparseLinear> layers_;
  std::vector<int> mask_owners_;  // For each of layers_.
  StateByParameter optimizer_state_;
  std::set<std::string> owned_;  // Names that the optimizer has for parameters of this rank.
  std::unique_ptr<GradientExchange> gradients_;
  OwnerBroadcast broadcast_;
  std::vector<bool> may_round_;  // For each of parameters_.
  std::vector<size_t> rounded_;  // Parameters of which other ranks than the owner have rounded elements.
};

}  // namespace twofour::train
