#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/quantize/quantize_run.h"

namespace twofour::train {

/// A table for people: a line for each linear, then their bytes together and the losses. Lines end in "\n".
std::string ToLines(const QuantizedRun& quantized);

/// Writes the same as one JSON object, with how it was made: all fields of proto::Quantization that are set.
///   {"run":..,"checkpoint":..,"source_weights":..,"weights":"nvfp4","activations":..,..,"loss_before":..,
///    "loss_after":..,"bytes_before":..,"bytes_after":..,"linears":[{"name":..,"out_features":..,"in_features":..,
///    "pattern":..,"form":..,"bytes_before":..,"bytes_after":..,"smoothed":..,"output_error":..}],
///    "kept":[{"name":..,"reason":..}],"notes":[..]}
/// What is not known is left out.
void SaveQuantizationReport(FileSystem& files, const std::filesystem::path& path, const QuantizeRequest& request,
                            const QuantizedRun& quantized);

}  // namespace twofour::train
