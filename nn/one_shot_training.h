#pragma once

#include <cstdint>
#include <functional>

#include "twofour/core/faults.h"
#include "twofour/nn/calibration.h"
#include "twofour/nn/module.h"
#include "twofour/nn/one_shot.h"
#include "twofour/nn/step_hook.h"

namespace twofour::nn {

struct OneShotRounds {
  OneShotOptions pruning = {};
  int64_t count = 1;
  int64_t steps = 1;  ///< Optimizer steps from one round to the next.

  /// What is pruned in round `round`, counted from 0: its patterns are those of sparse::PatternOfRound.
  OneShotOptions OptionsOf(int64_t round) const;
};

/// Rules: those of OneShotOptions. There is at least one round and one step, and each pattern can be reached in that
/// many rounds (sparse::MostRounds).
void Check(const OneShotRounds& rounds, const FieldPath& at, Faults& faults);

/// Prunes trained weights and trains them under the masks that were found, as often as there are rounds: gradual
/// pruning, where the other weights adapt between two rounds. What a round has dropped counts as 0 in the next.
class OneShotTraining : public StepHook {
 public:
  using Done = std::function<void(int64_t round, const OneShotReport& report)>;

  /// The SemiSparseLinears of `model` that are to be pruned have SemiSparseOptions::searches off. Everything must
  /// outlive this object. Throws Error on options that Check finds fault with.
  OneShotTraining(Module& model, OneShotRounds rounds, Calibration calibration, Done done);

  /// The first round. To be called before a training that does not go on from a checkpoint, and before its evaluation.
  /// Returns false, with the weights as they were, if `stopped` said so. Throws Error as PruneOnce does, and if a
  /// linear would keep more weights than the mask that it has.
  bool Begin(const std::function<bool()>& stopped);
  /// The other rounds, each before the step at which it is due. So a checkpoint of that step holds the weights before
  /// the round, and a run that goes on from there prunes them alike. A round cannot be stopped.
  void BeforeStep(const StepContext& step) override;

 private:
  bool Prune(int64_t round, const std::function<bool()>& stopped);

  Module& model_;
  OneShotRounds rounds_;
  Calibration calibration_;
  Done done_;
};

}  // namespace twofour::nn
