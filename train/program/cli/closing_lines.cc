#include "twofour/train/program/cli/closing_lines.h"

#include <fmt/format.h>

#include <algorithm>

namespace twofour::train {
namespace {

/// ", and 2.0400 after the last step"
std::string LastLoss(const RunEnding& ending) {
  return ending.last_loss ? fmt::format(", and {:.4f} after the last step", *ending.last_loss) : "";
}

std::string WhereTheBestIs(const RunEnding& ending) {
  const int64_t step = ending.state.best_evaluation.step;
  if (ending.model_step == step) return "";
  if (!ending.best_saved) return "; its weights were not saved";
  return fmt::format("; its weights: {}", (ending.run.checkpoints() / fmt::format("step-{}", step)).string());
}

}  // namespace

std::string EarlyStopLine(const Trainer& trainer) {
  if (!trainer.StoppedEarly()) return "";
  const BestEvaluation& best = trainer.state().best_scheduled;
  return fmt::format(
      "stopped early after step {}: {} without a loss below {:.4f}, that of step {}", trainer.state().step,
      best.evaluations_since == 1 ? "1 evaluation" : fmt::format("{} evaluations in a row", best.evaluations_since),
      best.loss, best.step);
}

std::string CommunicationLine(const comm::Traffic& sent, const ExchangeTime& time, double steps) {
  const double hidden = time.busy > 0 ? std::clamp(1 - time.waited / time.busy, 0.0, 1.0) : 0.0;
  return fmt::format(
      "sent by each rank: {:.2f} MB in {:.0f} messages a step; gradients travelled {:.1f} ms a step, of "
      "which backward passes hid {:.0f} %",
      static_cast<double>(sent.bytes) / steps * 1e-6, static_cast<double>(sent.messages) / steps,
      time.busy / steps * 1e3, 100 * hidden);
}

std::string ModelLines(const RunEnding& ending) {
  const BestEvaluation& best = ending.state.best_evaluation;
  std::string lines = "model: " + ending.run.model().string();
  if (ending.model_step != ending.state.step) lines += fmt::format(", the weights of step {}", ending.model_step);
  if (best.step == 0 || best.step == ending.state.step) return lines;
  return lines + fmt::format("\nbest evaluation: loss {:.4f} after step {}{}{}", best.loss, best.step, LastLoss(ending),
                             WhereTheBestIs(ending));
}

}  // namespace twofour::train
