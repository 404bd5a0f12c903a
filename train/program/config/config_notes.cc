#include "twofour/train/program/config/config_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/lr_steps.h"

namespace twofour::train {
namespace {

void NoteLearningRate(const proto::LearningRate& rate, int64_t steps, std::vector<std::string>& notes) {
  const LrSteps asked = AskedLrSteps(rate, steps), fitting = FittingLrSteps(rate, steps);
  if (asked.warmup > fitting.warmup) {
    notes.push_back(fmt::format("learning_rate: a rise of {} steps in a run of {}: it takes {}", asked.warmup, steps,
                                fitting.warmup));
  }
  // Rounding may make two fractions overlap by one step.
  if (asked.decay > fitting.decay + (rate.has_decay_fraction() && rate.has_warmup_fraction() ? 1 : 0)) {
    notes.push_back(fmt::format("learning_rate: a fall of {} steps after a rise of {} in a run of {}: it takes {}",
                                asked.decay, fitting.warmup, steps, fitting.decay));
  }
}

/// Optimizers compute updates in 32 bits.
void NoteTinyRate(const proto::LearningRate& rate, std::vector<std::string>& notes) {
  if (rate.lr() == 0 || rate.lr() >= std::numeric_limits<float>::min()) return;
  notes.push_back(
      fmt::format("learning_rate.lr: {}, less than the 32-bit floats of an update can hold: weights will "
                  "hardly change, or not at all",
                  rate.lr()));
}

void NoteSparsity(const proto::Sparsity& sparsity, int64_t steps, std::vector<std::string>& notes) {
  const proto::When& when = sparsity.freeze();
  if (!sparsity.enabled() || !IsSet(when)) return;
  const int64_t freeze = StepOf(when, steps, 0), first = DenseWarmupSteps(sparsity, steps);
  const sparse::ScoreNeeds needs = sparse::NeedsOf(ToScore(sparsity.score()));
  if ((needs.inputs || needs.gradients) && std::max(freeze, first) == 0) {
    notes.push_back(
        fmt::format("sparsity.score: {}, but masks are found once, before there are any {} (with freeze {{ step: 1 }} "
                    "they count as "
                    "in the first batch)",
                    proto::Score_Name(sparsity.score()),
                    needs.gradients ? "gradients: the largest weights are kept"
                                    : "activations: all inputs count as equally large"));
  }
  if (when.has_fraction() && sparsity.interval() > 1 && freeze - first < sparsity.interval()) {
    notes.push_back(fmt::format("sparsity.interval: {} steps, but masks freeze at step {}: the first is the last",
                                sparsity.interval(), freeze));
  }
}

}  // namespace

std::vector<std::string> NoteConfig(const proto::Config& config) {
  std::vector<std::string> notes;
  const int64_t steps = config.training().steps(), log_every = config.logging().every_steps();
  NoteLearningRate(config.learning_rate(), steps, notes);
  NoteTinyRate(config.learning_rate(), notes);
  NoteSparsity(config.sparsity(), steps, notes);
  if (log_every > steps) {
    notes.push_back(
        fmt::format("logging.every_steps: {} in a run of {} steps: no training metrics are written", log_every, steps));
  }
  return notes;
}

}  // namespace twofour::train
