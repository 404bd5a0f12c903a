#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/nn/gpt.h"
#include "twofour/nn/model.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/token_data.h"
#include "twofour/train/data_record.h"

#include "config.pb.h"

namespace twofour::train {

// These functions build the objects that a valid config describes. A new model, optimizer, schedule or data set needs a
// message in config.proto, a function in options.h that makes its options from that message, and a case here and in
// ValidateConfig.

/// For glyphs, idx and csv. `as_before` is the record of the data that a model was made with. Its classes and scaling
/// then replace those of the data; throws Error if the data has other classes. `earlier_rules`: see CsvOptions.
DataSplit BuildData(const proto::Data& data, const DataRecord* as_before = nullptr, bool earlier_rules = false);
/// For text and tokens. The vocabulary of `as_before` replaces that of the data, likewise.
TokenData BuildTokenData(const proto::Data& data, const DataRecord* as_before = nullptr);
// A model computes in f32 until its SetActivationDType is called.

/// What a model has to know of its samples.
struct SampleSizes {
  int64_t features = 0;
  Shape shape = {};  ///< See DataSplit::sample_shape.
  int64_t outputs = 0;
};

/// For every model except gpt. Throws Error if the model cannot take such samples.
std::unique_ptr<nn::Model> BuildModel(const proto::Model& model, const SampleSizes& sizes, uint64_t seed);
std::unique_ptr<nn::Gpt> BuildGpt(const proto::Gpt& gpt, int64_t vocab_size, uint64_t seed);
optim::LrSchedule BuildLrSchedule(const proto::LearningRate& rate, int64_t total_steps);

}  // namespace twofour::train
