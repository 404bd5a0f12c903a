#pragma once

#include "twofour/train/program/config/faults.h"

#include "config.pb.h"

namespace twofour::train {

// What ValidateConfig consists of: each notes the faults of one part of a config.

void CheckModel(const proto::Model& model, Faults& faults);
void CheckData(const proto::Data& data, Faults& faults);
/// Portions, evaluation, checkpoints and logging.
void CheckTraining(const proto::Config& config, Faults& faults);
void CheckOptimizer(const proto::Optimizer& optimizer, Faults& faults);
void CheckLearningRate(const proto::LearningRate& rate, Faults& faults);
void CheckSparsity(const proto::Sparsity& sparsity, int64_t steps, Faults& faults);

}  // namespace twofour::train
