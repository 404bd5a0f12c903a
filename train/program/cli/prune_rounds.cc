#include "twofour/train/program/cli/prune_rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/prunable_linears.h"
#include "twofour/train/program/cli/command_line.h"
#include "twofour/train/program/cli/training.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/pruning_message.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

constexpr double kPartOfRate = 10;

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

/// Whether the file of the run's weights has masks that are in force.
bool HasMasks(const TrainedRun& run) {
  if (!run.config.sparsity().enabled() || !run.config.sparsity().apply()) return false;
  return std::ranges::any_of(run.tensors,
                             [](const NamedTensor& named) { return named.name.ends_with(".weight_mask"); });
}

/// Throws Error, as `trainer prune` without rounds does, if the run has no data, or other data than it began with, or
/// no linears to prune.
void RequirePrunable(const PruneRequest& request) {
  const PrunableRun run({.run = request.run,
                         .checkpoint = request.checkpoint,
                         .needs_data = "to train with",
                         .accept_changed_data = request.accept_changed_data,
                         .threads = request.threads});
  if (run.config().sparsity().soft_threshold()) {
    throw Error(
        fmt::format("--run {}: its weights pass a soft threshold, expected others; prune it without "
                    "--round-steps first, and then that run",
                    request.run));
  }
  if (run.config().has_finetune() && run.weights() != RunFiles{run.folder()}.model()) {
    throw Error(
        fmt::format("--run {}: its weights have adapters that are not merged, expected the final ones of a "
                    "finished run",
                    request.run));
  }
  std::vector<nn::SwapEntry> kept_dense;
  nn::FindPrunableLinears(
      run.model(), ChoiceOf(OptionsFor(run.config(), request.options, request.linears, request.seed)), &kept_dense);
  run.RequireEachStays(kept_dense);
}

}  // namespace

proto::Config ConfigOfRounds(const PruneRequest& request, const RoundsOfPruning& rounds) {
  if (!request.allocation.is_default()) {
    const std::string given = request.allocation.target
                                  ? fmt::format("--target {}", *request.allocation.target)
                                  : fmt::format("--allocation {}", NameOf(request.allocation.method));
    throw Error(given + ": does not go with --round-steps, expected the same pattern for all linears");
  }
  const TrainedRun run = LoadTrainedRun(request.run, request.checkpoint);
  proto::Config config = run.config;
  config.set_name(FolderPath(request.out).filename().string());
  config.clear_origin();
  config.set_initial_weights(run.source.string());
  config.set_initial_masks(HasMasks(run));
  if (request.activations) {
    config.mutable_training()->set_precision(PrecisionOf(*request.activations));
    config.mutable_training()->clear_low_precision();
  }
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
  rate.set_lr(rounds.lr.value_or(config.learning_rate().lr() / kPartOfRate));
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
  RunFolder::CheckFree(FileSystem::Default(), FolderPath(request.out), request.if_exists);
  RequireSoundArguments(request.options, request.linears);
  RequirePrunable(request);
  return TrainNewRun(line, ConfigOfRounds(request, rounds), context);
}

}  // namespace twofour::train
