#pragma once

#include <string>

#include "twofour/train/program/config/trained_run.h"

#include "config.pb.h"

namespace twofour::train {

// Runs that `trainer quantize` made. Their config has `quantization`.

/// Throws Error, beginning with `source`, if the config is that of such a run: its weights cannot be trained or changed
/// any more.
void RequireNotQuantized(const proto::Config& config, const std::string& source);

/// Moves the weights of 8 bits from the file of the run's weights, run.source, to run.quantized. Throws Error if there
/// are none in a quantised run, if there are some in another, if they do not fit what the config says, and as
/// TakeQuantizedLinears does.
void TakeQuantizedWeights(SafetensorsFile& file, TrainedRun& run);

/// Moves the weights of 8 bits back to run.tensors, as the floats that they stand for.
void DequantizeWeights(TrainedRun& run);

/// Moves the weights of 8 bits to where the model will take them from. Where inputs are rounded, too, that is
/// run.packed with weights that multiply bytes. Otherwise the weights become floats of this dtype, f32 or bf16: packed
/// ones in run.packed, and the others in run.tensors.
void PlaceQuantizedWeights(TrainedRun& run, DType activations);

}  // namespace twofour::train
