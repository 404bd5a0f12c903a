#pragma once

#include "twofour/core/faults.h"

#include "config.pb.h"

namespace twofour::train {

// What ValidateConfig consists of: each notes the faults of one part of a config. What a field may be by itself is
// asked of Check of the options that it becomes; here stand the rules about what only a config has, and about fields
// that become options of several objects.

void CheckModel(const proto::Model& model, Faults& faults);
void CheckData(const proto::Data& data, Faults& faults);
/// Portions, evaluation, checkpoints and logging.
void CheckTraining(const proto::Config& config, Faults& faults);
void CheckOptimizer(const proto::Optimizer& optimizer, Faults& faults);
void CheckLearningRate(const proto::LearningRate& rate, Faults& faults);
void CheckSparsity(const proto::Config& config, Faults& faults);

}  // namespace twofour::train
