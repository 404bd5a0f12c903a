#include "twofour/train/parallel/data_parallel.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <unordered_map>
#include <utility>

#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/nn/state_dict.h"
#include "twofour/train/parallel/agreement.h"
#include "twofour/train/parallel/gather_tensors.h"
#include "twofour/train/parallel/owners.h"
#include "twofour/train/parallel/product_weights.h"
#include "twofour/train/parallel/tree_sum.h"

namespace twofour::train {
namespace {

std::vector<Tensor> TrainedParameters(const nn::Module& model) {
  std::vector<Tensor> parameters = model.Parameters();
  std::erase_if(parameters, [](const Tensor& parameter) { return !parameter.requires_grad(); });
  return parameters;
}

std::span<std::byte> BytesOf(std::byte* data, const Tensor& tensor) {
  return {data, static_cast<size_t>(tensor.numel()) * SizeOf(tensor.dtype())};
}

}  // namespace

DataParallel::DataParallel(comm::Communicator& ranks, nn::Module& model, const optim::Optimizer& optimizer,
                           const Options& options)
    : ranks_(ranks),
      model_(model),
      tree_(std::make_shared<const ShardTree>(options.shards, ranks.size())),
      parameters_(TrainedParameters(model)),
      layers_(nn::FindSemiSparseLinears(model)),
      optimizer_state_(optimizer.Parameters()),
      broadcast_(ranks) {
  AssignParameters(optimizer);
  AssignMasks();
  const std::set<const Tensor::Impl*> roundable =
      options.rounds_weights ? ProductWeights(model) : std::set<const Tensor::Impl*>();
  for (const Tensor& parameter : parameters_) may_round_.push_back(roundable.contains(parameter.impl().get()));
  gradients_ = std::make_unique<GradientExchange>(ranks, tree_, parameters_, owners_, options.exchange);
}

void DataParallel::AssignParameters(const optim::Optimizer& optimizer) {
  const std::vector<NamedTensor> updated = optimizer.Parameters();
  const std::vector<double> update_costs = optimizer.UpdateCosts();
  std::unordered_map<const Tensor::Impl*, double> cost_of;
  for (size_t i = 0; i < updated.size(); ++i) cost_of[updated[i].tensor.impl().get()] = update_costs[i];
  std::vector<double> costs;
  for (const Tensor& parameter : parameters_) costs.push_back(cost_of[parameter.impl().get()]);
  owners_ = AssignOwners(costs, ranks_.size());
  std::set<const Tensor::Impl*> own;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (Owns(i)) own.insert(parameters_[i].impl().get());
  }
  for (const auto& [name, tensor] : updated) {
    if (own.contains(tensor.impl().get())) owned_.insert(name);
  }
}

void DataParallel::AssignMasks() {
  // Weights that are not trained, such as those below adapters, have no owner yet.
  std::vector<double> costs;
  for (const auto& [name, layer] : layers_) costs.push_back(static_cast<double>(layer->weight().numel()));
  mask_owners_ = AssignOwners(costs, ranks_.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto* const weight = layers_[i].layer->weight().impl().get();
    const auto found = std::ranges::find_if(parameters_, [&](const Tensor& p) { return p.impl().get() == weight; });
    if (found != parameters_.end()) mask_owners_[i] = owners_[static_cast<size_t>(found - parameters_.begin())];
  }
}

void DataParallel::BeginStep(bool spares_masked) {
  std::vector<const sparse::Mask*> masks(parameters_.size());
  for (const auto& [name, layer] : layers_) {
    if (!spares_masked || ranks_.size() == 1 || !nn::DropsMaskedGradient(*layer)) continue;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].impl() == layer->weight().impl()) masks[i] = &layer->mask_in_force();
    }
  }
  gradients_->Begin(masks);
}

std::vector<std::optional<double>> DataParallel::SquaredNorms() {
  // Each rank sends those of its parameters in their order. A negative number stands for none.
  std::vector<double> mine;
  std::vector<size_t> counts(static_cast<size_t>(ranks_.size()));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    ++counts[static_cast<size_t>(owners_[i])];
    if (!Owns(i)) continue;
    const Tensor& grad = parameters_[i].grad();
    mine.push_back(grad.defined() ? kernels::SumOfSquares(grad.numel(), grad.data<float>()) : -1);
  }
  const size_t most = *std::ranges::max_element(counts);
  mine.resize(most);
  const std::vector<double> all = AllNumbers(ranks_, mine);
  std::vector<size_t> next(counts.size());
  std::vector<std::optional<double>> squares;
  for (const int owner : owners_) {
    const auto rank = static_cast<size_t>(owner);
    const double value = all[rank * most + next[rank]++];
    squares.push_back(value == -1 ? std::nullopt : std::optional(value));
  }
  return squares;
}

void DataParallel::ShareWeights(const std::vector<std::optional<double>>& gradients) {
  if (ranks_.size() == 1) return;
  std::vector<OwnerBroadcast::Item> items;
  std::vector<std::pair<size_t, Tensor>> halves;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i]) continue;
    Tensor& parameter = parameters_[i];
    if (may_round_[i]) {
      Tensor& half =
          halves.emplace_back(i, Owns(i) ? parameter.To(DType::kBF16) : Tensor::Empty(parameter.shape(), DType::kBF16))
              .second;
      items.push_back({owners_[i], BytesOf(half.mutable_raw(), half)});
    } else {
      // The owner has announced its write already: a version counts updates.
      std::byte* const data = Owns(i) ? const_cast<std::byte*>(parameter.raw()) : parameter.mutable_raw();
      items.push_back({owners_[i], BytesOf(data, parameter)});
    }
  }
  broadcast_.Share(items);
  rounded_.clear();
  for (const auto& [i, half] : halves) {
    rounded_.push_back(i);
    if (!Owns(i)) parameters_[i].CopyFrom(half.To(DType::kF32));
  }
}

void DataParallel::ShareMasters() {
  std::vector<OwnerBroadcast::Item> items;
  for (const size_t i : rounded_) {
    // No write that anybody has to know of: products, which alone have read the rounded elements, round these alike.
    items.push_back({owners_[i], BytesOf(const_cast<std::byte*>(parameters_[i].raw()), parameters_[i])});
  }
  broadcast_.Share(items);
  rounded_.clear();
}

void DataParallel::RefreshMasks() {
  std::vector<std::pair<size_t, sparse::Mask>> found;
  std::vector<OwnerBroadcast::Item> items;
  for (size_t i = 0; i < layers_.size(); ++i) {
    nn::SemiSparseLinear& layer = *layers_[i].layer;
    if (ranks_.size() == 1 || !layer.IsSearchDue()) continue;
    const bool own = mask_owners_[i] == ranks_.rank();
    found.emplace_back(i, own ? layer.mask() : sparse::Mask(layer.weight().dim(0), layer.weight().dim(1)));
  }
  for (auto& [i, mask] : found) {
    const auto tiles = std::span(mask.tiles(), static_cast<size_t>(mask.tile_rows() * mask.tile_cols()));
    items.push_back({mask_owners_[i], std::as_writable_bytes(tiles)});
  }
  broadcast_.Share(items);
  for (auto& [i, mask] : found) {
    if (mask_owners_[i] != ranks_.rank()) layers_[i].layer->AdoptMask(std::move(mask));
  }
  for (const auto& [name, layer] : layers_) layer->mask();
}

void DataParallel::GatherGradients() {
  for (size_t i = 0; i < parameters_.size() && ranks_.size() > 1; ++i) {
    if (owners_[i] == 0) continue;
    // First whether there is one.
    const Tensor grad = parameters_[i].grad();
    std::byte there{grad.defined()};
    if (Owns(i)) ranks_.Send(0, {&there, 1});
    if (ranks_.rank() == 0) ranks_.Receive(owners_[i], {&there, 1});
    if (there == std::byte{0}) continue;
    if (Owns(i)) ranks_.Send(0, BytesOf(const_cast<std::byte*>(grad.raw()), grad));
    if (ranks_.rank() != 0) continue;
    Tensor received = Tensor::Empty(parameters_[i].shape());
    ranks_.Receive(owners_[i], BytesOf(received.mutable_raw(), received));
    parameters_[i].set_grad(received);
  }
}

std::vector<double> DataParallel::SumOverShards(const std::vector<std::vector<double>>& own) const {
  std::vector<double> mine;
  for (const std::vector<double>& numbers : own) mine.insert(mine.end(), numbers.begin(), numbers.end());
  const std::vector<double> all = AllNumbers(ranks_, mine);
  const size_t count = own.front().size();
  std::vector<std::vector<double>> shards;
  for (size_t i = 0; i < static_cast<size_t>(tree_->shards()); ++i) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(i * count);
    shards.emplace_back(begin, begin + static_cast<ptrdiff_t>(count));
  }
  return TreeSum(*tree_, std::move(shards));
}

std::vector<Tensor> DataParallel::SumOverShards(std::vector<std::vector<Tensor>> own,
                                                const std::vector<int64_t>& sizes) const {
  std::vector<ShardSums::Item> items;
  std::vector<size_t> all;
  for (size_t i = 0; i < layers_.size(); ++i) {
    items.push_back({mask_owners_[i], sizes[i]});
    if (sizes[i] > 0) all.push_back(i);
  }
  if (all.empty()) return std::vector<Tensor>(layers_.size());
  ShardSums sums(ranks_, tree_, DType::kF64, std::move(items));
  for (size_t s = 0; s < own.size(); ++s) {
    for (const size_t i : all) {
      sums.Add(i, tree_->first_shard(ranks_.rank()) + static_cast<int64_t>(s), std::move(own[s][i]));
    }
  }
  sums.Join(all);
  std::vector<Tensor> result(layers_.size());
  for (const size_t i : all) result[i] = sums.Take(i);
  return result;
}

std::vector<NamedTensor> DataParallel::OwnPartOf(const std::vector<NamedTensor>& optimizer_state) const {
  if (ranks_.size() == 1) return optimizer_state;
  return optimizer_state_.Part(optimizer_state, [this](const std::string& name) { return owned_.contains(name); });
}

CheckpointData DataParallel::GatherState(const optim::Optimizer& optimizer, const TrainerState& state) const {
  if (ranks_.size() == 1) return {nn::StateDict(model_), optimizer.StateDict(), state};
  std::vector<NamedTensor> buffers;
  std::vector<std::string> names;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto& [name, layer] = layers_[i];
    names.push_back(name);
    if (mask_owners_[i] != ranks_.rank()) continue;
    for (NamedTensor& buffer : layer->Buffers()) {
      buffers.push_back({name.empty() ? buffer.name : name + "." + buffer.name, std::move(buffer.tensor)});
    }
  }
  const auto all_buffers = GatherTensors(ranks_, buffers);
  const auto all_states = GatherTensors(ranks_, OwnPartOf(optimizer.StateDict()));
  if (ranks_.rank() != 0) return {{}, {}, state};
  std::vector<NamedTensor> joined;
  for (const auto& part : all_buffers) joined.insert(joined.end(), part.begin(), part.end());
  return {WithBuffers(nn::StateDict(model_), names, joined), optimizer_state_.Join(all_states), state};
}

}  // namespace twofour::train
