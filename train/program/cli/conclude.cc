#include "twofour/train/program/cli/conclude.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <ostream>

#include "twofour/core/io/file_system.h"
#include "twofour/nn/swap.h"
#include "twofour/train/final_model.h"
#include "twofour/train/program/cli/closing_lines.h"
#include "twofour/train/program/cli/progress.h"

namespace twofour::train {
namespace {

/// See FinalMetrics::sparsity.
std::optional<double> SparsityOf(nn::Module& model) {
  int64_t kept = 0, all = 0;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    if (!layer->options().apply || layer->mask().empty()) continue;
    kept += layer->mask().CountKept();
    all += layer->weight().numel();
  }
  return all == 0 ? std::nullopt : std::optional(1 - static_cast<double>(kept) / static_cast<double>(all));
}

}  // namespace

void Conclude(const EndedRun& ended, std::ostream& out) {
  const proto::Checkpoint& checkpoint = ended.config.checkpoint();
  const FinalModelOptions options{
      .best = checkpoint.final() == proto::Checkpoint::BEST,
      .weights = checkpoint.save_pruned() ? ExportWeights::kPruned : ExportWeights::kDenseWithMasks,
      .adapter_alpha = ended.config.finetune().alpha()};
  const TrainerState& state = ended.trainer.state();
  const BestEvaluation& best = state.best_evaluation;
  const int64_t model_step = FinalModelStep(state, options);
  const bool early = ended.trainer.StoppedEarly();
  ended.sink.OnFinal({state.step, model_step, best.step, best.loss, early, ended.trainer.first_compared_step(),
                      SparsityOf(ended.model)});
  SaveFinalModel(FileSystem::Default(), ended.run, ended.model, state, options);
  if (early && ended.seconds) out << EarlyStopLine(ended.trainer) << "\n";
  out << fmt::format("{}; {}\n",
                     ended.seconds ? "done in " + FormatDuration(*ended.seconds) : "written, because it was missing",
                     ModelLines({.run = ended.run,
                                 .state = state,
                                 .model_step = model_step,
                                 .last_loss = ended.trainer.last_evaluation_loss(),
                                 .best_saved = ended.checkpoints.Find(best.step).has_value()}));
}

}  // namespace twofour::train
