#pragma once

#include <memory>
#include <string>

#include "twofour/sparse/inference_weight.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/train/exchange/quantized_weight.h"
#include "twofour/train/program/config/trained_run.h"

#include "config.pb.h"

namespace twofour::train {

// Runs that `trainer quantize` made. Their config has `quantization`.

/// Whether inputs of such weights may be rounded, too, so that products are those of bytes.
bool TakesRoundedInputs(sparse::LowBitKind weights);

/// The weight of int8 that multiplies bytes.
std::shared_ptr<const sparse::InferenceWeight> BytesWeight(const QuantizedWeight& weight);

/// Throws Error, beginning with `source`, if the config is that of such a run: its weights cannot be trained or changed
/// any more.
void RequireNotQuantized(const proto::Config& config, const std::string& source);

/// Moves the weights of few bits from the file of the run's weights, run.source, to run.quantized. Throws Error if
/// there are none in a quantised run, if there are some in another, if they do not fit what the config says, and as
/// TakeQuantizedLinears does.
void TakeQuantizedWeights(SafetensorsFile& file, TrainedRun& run);

/// Moves the weights of few bits back to run.tensors, as the floats that they stand for.
void DequantizeWeights(TrainedRun& run);

/// Moves the weights of few bits to where the model will take them from. Where inputs are rounded, too, that is
/// run.packed with weights that multiply bytes. Otherwise products are those of floats: weights in run.packed that are
/// multiplied as they are stored, where kernels take them so, or that are of floats of this dtype, f32 or bf16; and
/// those that are dense then in run.tensors.
void PlaceQuantizedWeights(TrainedRun& run, DType activations);

}  // namespace twofour::train
