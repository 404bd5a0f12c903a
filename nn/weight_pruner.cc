#include "twofour/nn/weight_pruner.h"

#include <fmt/format.h>

#include <utility>

#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/alps.h"
#include "twofour/sparse/prune/dsnot.h"
#include "twofour/sparse/prune/sparsegpt.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::nn {
namespace {

/// What an earlier pruning dropped is dropped again before anything else. Other scores see to that by themselves.
void RankZerosLast(const Tensor& weight, Tensor& scores) {
  float* const data = scores.mutable_data<float>();
  for (int64_t i = 0; i < weight.numel(); ++i) {
    if (weight.data<float>()[i] == 0) data[i] = 0;
  }
}

}  // namespace

sparse::SparseGptOptions SparseGptOf(const OneShotOptions& options, const sparse::PruningPattern& pattern) {
  return {.pattern = pattern, .dampening = options.dampening, .block = options.block, .columns = options.columns};
}

sparse::AlpsOptions AlpsOf(const OneShotOptions& options, const sparse::PruningPattern& pattern) {
  return {
      .pattern = pattern, .dampening = options.dampening, .iterations = options.iterations, .columns = options.columns};
}

sparse::ScoreNeeds NeedsOf(const OneShotOptions& options) {
  const bool gram = options.method == PruningMethod::kSparseGpt || options.method == PruningMethod::kAlps;
  sparse::ScoreNeeds needs{.inputs = gram, .gram = gram};
  if (gram) return needs;
  needs = sparse::NeedsOf(options.score);
  needs.inputs = needs.inputs || options.method == PruningMethod::kDsnot;
  return needs;
}

WeightPruner::WeightPruner(const OneShotOptions& options, std::string name, Tensor dense,
                           const LinearStatistics& statistics, uint32_t stream)
    : options_(options), name_(std::move(name)), dense_(std::move(dense)), statistics_(statistics), stream_(stream) {
  NoteLowRank();
}

void WeightPruner::NoteLowRank() {
  if (!NeedsOf(options_).gram) return;
  const int64_t features = dense_.dim(1), samples = statistics_.inputs->samples();
  if (samples >= features) return;
  notes_.push_back(
      fmt::format("{}: {} rows of inputs for {} features: their Gram matrix has a rank of {} at most, and the "
                  "dampening decides the rest; {} help",
                  name_, samples, features, samples, options_.more_inputs));
}

const Tensor& WeightPruner::Scores() {
  if (scores_) return *scores_;
  RandomKey key = options_.key;
  key.stream += stream_;
  scores_ = sparse::ScoresOf(options_.score, dense_,
                             {.inputs = statistics_.inputs,
                              .gradients = statistics_.gradients,
                              .dampening = options_.dampening,
                              .gradient_factor = options_.gradient_factor,
                              .key = key,
                              .notes = &notes_},
                             name_ + ".weight");
  if (options_.score == sparse::MaskScore::kRandom) RankZerosLast(dense_, *scores_);
  return *scores_;
}

sparse::PrunedWeight WeightPruner::Prune(const sparse::PruningPattern& pattern) {
  const std::string name = name_ + ".weight";
  switch (options_.method) {
    case PruningMethod::kSparseGpt:
      return sparse::SparseGpt(dense_, statistics_.inputs->Gram(), SparseGptOf(options_, pattern), name);
    case PruningMethod::kAlps:
      return sparse::Alps(dense_, statistics_.inputs->Gram(), AlpsOf(options_, pattern), name);
    case PruningMethod::kMask:
    case PruningMethod::kDsnot:
      break;
  }
  sparse::Mask mask = sparse::FindMaskOf(Scores(), pattern, name, options_.columns);
  if (options_.method == PruningMethod::kDsnot) {
    return sparse::Dsnot(dense_, mask, *statistics_.inputs, {.pattern = pattern}, name);
  }
  Tensor weight = sparse::ApplyMask(dense_, mask);
  return {.weight = std::move(weight), .mask = std::move(mask)};
}

}  // namespace twofour::nn
