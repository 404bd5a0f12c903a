#include "twofour/train/program/start/training_start.h"

#include "twofour/train/program/config/build_optimizer.h"
#include "twofour/train/program/config/build_sparsity.h"

namespace twofour::train {

TrainingStart StartTraining(const proto::Config& config, nn::Module& model, Beginning beginning) {
  TrainingStart start;
  if (beginning == Beginning::kNew && !config.initial_weights().empty()) {
    start.initial = LoadInitialWeights(config.initial_weights(), model);
  }
  start.optimizer = BuildOptimizer(config, model);
  if (!config.sparsity().enabled()) return start;
  start.swapped = SwapLayers(config, model);
  if (start.initial && config.initial_masks()) TakeOverMasks(*start.initial, model);
  return start;
}

}  // namespace twofour::train
