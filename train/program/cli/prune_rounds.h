#pragma once

#include <cstdint>
#include <optional>

#include "twofour/train/program/cli/command.h"
#include "twofour/train/program/prune/pruned_run.h"

#include "config.pb.h"

namespace twofour::train {

/// How `trainer prune --rounds` trains between two rounds and after the last.
struct RoundsOfPruning {
  int64_t count = 1;
  int64_t steps = 0;              ///< Optimizer steps after each round.
  std::optional<double> lr = {};  ///< The highest learning rate; by default a tenth of the run's.
};

/// The config of a run that prunes another one in rounds: the other's, with Config.one_shot. The learning rate falls in
/// a straight line to 0. Throws Error if the request asks for what no config holds, such as an allocation.
proto::Config ConfigOfRounds(const PruneRequest& request, const RoundsOfPruning& rounds);

/// Trains such a run. Returns the exit code.
int PruneInRounds(const PruneRequest& request, const RoundsOfPruning& rounds, const CommandContext& context);

}  // namespace twofour::train
