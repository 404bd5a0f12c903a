#include "twofour/train/program/config/build_one_shot.h"

#include "twofour/core/random_streams.h"
#include "twofour/nn/one_shot_names.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::train {

nn::OneShotRounds BuildOneShotRounds(const proto::Config& config) {
  const proto::OneShot& one_shot = config.one_shot();
  const proto::Sparsity& sparsity = config.sparsity();
  nn::OneShotOptions pruning{.include = sparsity.include(),
                             .exclude = sparsity.exclude(),
                             .multiple_of = sparsity.multiple_of(),
                             .output_errors = false,
                             .dampening = one_shot.dampening(),
                             .block = one_shot.block(),
                             .iterations = one_shot.iterations(),
                             .key = {one_shot.seed(), random_streams::kFirstMask, 0}};
  nn::SetMethod(one_shot.method(), pruning);
  if (pruning.method == nn::PruningMethod::kDsnot) {
    pruning.score = nn::ScoreNamed(one_shot.score()).value_or(pruning.score);
  }
  pruning.order = nn::OrderNamed(one_shot.order()).value_or(nn::UsualOrder(pruning.method));
  pruning.pattern = sparse::ReadPruningPattern(sparsity.pattern()).value_or(pruning.pattern);
  for (const proto::LayerPattern& layer : sparsity.layers()) {
    pruning.patterns[layer.name()] = sparse::ReadPruningPattern(layer.pattern()).value_or(pruning.pattern);
  }
  return {.pruning = std::move(pruning), .count = one_shot.rounds(), .steps = one_shot.round_steps()};
}

}  // namespace twofour::train
