#include "twofour/train/program/start/training_start.h"

#include "twofour/train/program/config/build_finetune.h"
#include "twofour/train/program/config/build_low_precision.h"
#include "twofour/train/program/config/build_optimizer.h"
#include "twofour/train/program/config/build_sparsity.h"

namespace twofour::train {

TrainingStart StartTraining(const proto::Config& config, nn::Module& model, Beginning beginning) {
  TrainingStart start;
  if (beginning == Beginning::kNew && !config.initial_weights().empty()) {
    start.initial = LoadInitialWeights(config.initial_weights(), model);
  }
  if (config.sparsity().enabled()) {
    start.swapped = SwapLayers(config, model);
    if (config.has_finetune()) start.adapted = AddAdapters(config, model);
    if (start.initial && config.initial_masks()) TakeOverMasks(*start.initial, model);
  }
  start.rounded = RoundLinears(config, model);
  if (start.rounded) RequireRounded(*start.rounded, config);
  start.optimizer = BuildOptimizer(config, model);
  return start;
}

}  // namespace twofour::train
