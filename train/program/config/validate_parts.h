#pragma once

#include "twofour/core/faults.h"

#include "config.pb.h"

namespace twofour::train {

// The parts of ValidateConfig: each adds the faults of one part of a config. Values of single fields are checked by the
// Check functions of the options that the fields become. These functions check what only a config has, and fields that
// become options of several objects.

void CheckModel(const proto::Model& model, Faults& faults);
void CheckData(const proto::Data& data, Faults& faults);
/// Steps, batches, evaluation, checkpoints and logging.
void CheckTraining(const proto::Config& config, Faults& faults);
void CheckOptimizer(const proto::Optimizer& optimizer, Faults& faults);
void CheckLearningRate(const proto::LearningRate& rate, Faults& faults);
void CheckSparsity(const proto::Config& config, Faults& faults);
/// What `finetune` asks of the rest of the config, and its own fields. Before the others, because it explains why some
/// of their values cannot be.
void CheckFinetune(const proto::Config& config, Faults& faults);
/// The same of `one_shot`.
void CheckOneShot(const proto::Config& config, Faults& faults);

}  // namespace twofour::train
