#include "twofour/train/program/cli/prune_rounds.h"

#include <fmt/format.h>

#include <string>

#include "twofour/core/error.h"
#include "twofour/train/program/cli/command_line.h"
#include "twofour/train/program/cli/training.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/prune/pruning_message.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

constexpr double kShareOfRate = 0.1;

proto::OneShot ToMessage(const PruneRequest& request, const RoundsOfPruning& rounds) {
  const nn::OneShotOptions& options = request.options;
  proto::OneShot message;
  SetMethodOf(options, message);
  message.set_order(std::string(NameOf(options.order)));
  message.set_samples(request.samples);
  message.set_seed(request.seed);
  message.set_rounds(rounds.count);
  message.set_round_steps(rounds.steps);
  return message;
}

}  // namespace

proto::Config ConfigOfRounds(const PruneRequest& request, const RoundsOfPruning& rounds) {
  if (!request.allocation.is_default()) {
    throw Error("--rounds: goes with the same pattern for all linears, without --allocation and --target");
  }
  const TrainedRun run = LoadTrainedRun(request.run, request.checkpoint);
  proto::Config config = run.config;
  config.set_name(FolderPath(request.out).filename().string());
  config.clear_origin();
  config.set_initial_weights(run.source.string());
  config.set_initial_masks(config.sparsity().enabled() && config.sparsity().apply());
  const nn::OneShotOptions options = OptionsFor(config, request.options, request.linears, request.seed);
  proto::Sparsity& sparsity = *config.mutable_sparsity();
  sparsity.Clear();
  sparsity.set_enabled(true);
  sparsity.set_include(options.include);
  sparsity.set_exclude(options.exclude);
  sparsity.set_multiple_of(options.multiple_of);
  sparsity.set_algorithm(proto::Sparsity::PATTERN);
  sparsity.set_pattern(options.pattern.ToString());
  *config.mutable_one_shot() = ToMessage(request, rounds);
  config.mutable_training()->set_steps(rounds.count * rounds.steps);
  proto::LearningRate rate;
  rate.set_lr(rounds.lr.value_or(kShareOfRate * config.learning_rate().lr()));
  rate.set_schedule(proto::LearningRate::WARMUP_STABLE_DECAY);
  rate.set_decay_fraction(1);
  *config.mutable_learning_rate() = rate;
  return WithDefaults(config);
}

int PruneInRounds(const PruneRequest& request, const RoundsOfPruning& rounds, const CommandContext& context) {
  CommandLine line;
  line.out = request.out;
  line.overwrite = request.if_exists == RunFolder::IfExists::kOverwrite;
  line.changes.threads = request.threads;
  return TrainNewRun(line, ConfigOfRounds(request, rounds), context);
}

}  // namespace twofour::train
