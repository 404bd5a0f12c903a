#pragma once

#include <memory>

#include "twofour/nn/gpt.h"
#include "twofour/nn/module.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/token_data.h"
#include "twofour/train/data_record.h"

#include "config.pb.h"

namespace twofour::train {

// From a valid config to the objects it describes. Adding a model, an optimizer, a schedule or a data set means a
// message in config.proto, a function in options.h that makes its options of it, and a case here and in ValidateConfig.

/// Glyphs, idx or csv. With `as_before`, the record of the data that a model was made with, its classes and scaling are
/// in force; Error where the data has others. `earlier_rules`: see CsvOptions.
DataSplit BuildData(const proto::Data& data, const DataRecord* as_before = nullptr, bool earlier_rules = false);
/// Text or tokens. With `as_before`, its vocabulary is in force, likewise.
TokenData BuildTokenData(const proto::Data& data, const DataRecord* as_before = nullptr);
/// Any model but gpt.
std::unique_ptr<nn::Module> BuildModel(const proto::Model& model, const Dataset& data, uint64_t seed);
std::unique_ptr<nn::Gpt> BuildGpt(const proto::Gpt& gpt, int64_t vocab_size, uint64_t seed);
optim::LrSchedule BuildLrSchedule(const proto::LearningRate& rate, int64_t total_steps);

}  // namespace twofour::train
