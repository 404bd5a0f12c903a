#include "twofour/train/parallel/gradient_exchange.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "twofour/core/leaf_gradients.h"
#include "twofour/sparse/kept_entries.h"
#include "twofour/train/clock.h"
#include "twofour/train/parallel/buckets.h"

namespace twofour::train {
namespace {

std::vector<ShardSums::Item> ItemsOf(const std::vector<Tensor>& parameters, const std::vector<int>& owners) {
  std::vector<ShardSums::Item> items;
  for (size_t i = 0; i < parameters.size(); ++i) items.push_back({owners[i], parameters[i].numel()});
  return items;
}

/// The last parameters first.
std::vector<std::vector<size_t>> GradientBuckets(const std::vector<Tensor>& parameters, int64_t elements) {
  std::vector<size_t> order(parameters.size());
  std::iota(order.rbegin(), order.rend(), size_t{0});
  std::vector<int64_t> sizes;
  for (const Tensor& parameter : parameters) sizes.push_back(parameter.numel());
  return BucketsOf(order, sizes, elements);
}

}  // namespace

GradientExchange::GradientExchange(comm::Communicator& ranks, std::shared_ptr<const ShardTree> tree,
                                   std::vector<Tensor> parameters, std::vector<int> owners, const Options& options)
    : ranks_(ranks),
      tree_(tree),
      parameters_(std::move(parameters)),
      owners_(std::move(owners)),
      overlap_(options.overlap),
      buckets_(GradientBuckets(parameters_, options.bucket_elements)),
      sums_(ranks, std::move(tree), DType::kF32, ItemsOf(parameters_, owners_)),
      taken_(parameters_.size()) {
  for (size_t i = 0; i < parameters_.size(); ++i) index_[parameters_[i].impl().get()] = i;
  if (ranks.size() > 1) background_ = std::make_unique<BackgroundTasks>();
}

void GradientExchange::Begin(const std::vector<const sparse::Mask*>& masks) {
  masks_ = masks;
  next_bucket_ = 0;
  std::ranges::fill(taken_, 0);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    sums_.SetSize(i, masks_[i] != nullptr ? masks_[i]->CountKept() : parameters_[i].numel());
  }
}

void GradientExchange::TakeGradient(size_t parameter, int64_t shard) {
  Tensor gradient = parameters_[parameter].grad();
  parameters_[parameter].ZeroGrad();
  if (gradient.defined()) {
    const sparse::Mask* const mask = masks_[parameter];
    gradient = mask != nullptr ? sparse::KeptEntries(*mask, gradient) : gradient.View({gradient.numel()});
  }
  sums_.Add(parameter, shard, std::move(gradient));
  ++taken_[parameter];
}

void GradientExchange::LastBackward(const Tensor& loss) {
  if (background_ == nullptr || !overlap_) return loss.Backward();
  const autograd::LeafGradientScope scope([this](const Tensor::Impl& leaf) { OnComplete(leaf); });
  loss.Backward();
}

void GradientExchange::OnComplete(const Tensor::Impl& leaf) {
  const auto found = index_.find(&leaf);
  if (found == index_.end()) return;
  TakeGradient(found->second, tree_->first_shard(ranks_.rank()) + tree_->shards_per_rank() - 1);
  SendComplete();
}

void GradientExchange::EndShard(int64_t shard) {
  const int64_t given = shard - tree_->first_shard(ranks_.rank());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (taken_[i] == given) TakeGradient(i, shard);
  }
  if (given + 1 == tree_->shards_per_rank()) SendComplete();
}

void GradientExchange::SendComplete() {
  if (background_ == nullptr) return;
  const auto is_complete = [this](size_t parameter) { return taken_[parameter] == tree_->shards_per_rank(); };
  for (; next_bucket_ < buckets_.size() && std::ranges::all_of(buckets_[next_bucket_], is_complete); ++next_bucket_) {
    background_->Add([this, bucket = next_bucket_] { JoinBucket(bucket); });
  }
}

void GradientExchange::JoinBucket(size_t bucket) {
  const double began = Clock::Default().Seconds();
  sums_.Join(buckets_[bucket]);
  time_.busy += Clock::Default().Seconds() - began;
}

void GradientExchange::Finish() {
  if (background_ != nullptr) {
    const double began = Clock::Default().Seconds();
    background_->Wait();
    time_.waited += Clock::Default().Seconds() - began;
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor sum = sums_.Take(i);
    if (!sum.defined()) continue;
    parameters_[i].set_grad(masks_[i] != nullptr ? sparse::SpreadEntries(*masks_[i], sum)
                                                 : sum.View(parameters_[i].shape()));
  }
}

void GradientExchange::GiveUp() {
  const int64_t first = tree_->first_shard(ranks_.rank());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].ZeroGrad();
    for (; taken_[i] < tree_->shards_per_rank(); ++taken_[i]) sums_.Add(i, first + taken_[i], {});
  }
  SendComplete();
  if (background_ != nullptr) background_->Wait();
  for (size_t i = 0; i < parameters_.size(); ++i) sums_.Take(i);
}

}  // namespace twofour::train
