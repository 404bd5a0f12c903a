#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/packed_linears.h"

namespace twofour::train {

/// Weights that somebody else wrote.
struct WeightSource {
  std::filesystem::path path;  ///< The file, or the index of the shards.
  SafetensorsFile file;        ///< Weights that were in a packed form are dense, but for those in `packed`.
  std::optional<std::filesystem::path> config, tokenizer;  ///< config.json and tokenizer.json beside it, if there.
  std::vector<nn::PackedLinear> packed = {};
};

/// Where the weights at `path` are: a file itself; in a folder model.safetensors, or else
/// model.safetensors.index.json. Throws Error if a folder has neither.
std::filesystem::path WeightFileOf(FileSystem& files, const std::filesystem::path& path);

/// Reads a safetensors file, an index of shards (a name that ends in .json), or a folder that holds either. Throws
/// Error, beginning with a file's name, as LoadSafetensors, LoadShards and UnpackTensors do. With `activations`, the
/// dtype of a model's activations, weights that products read as they are packed stay so: see TakePackedLinears.
WeightSource LoadWeightSource(FileSystem& files, const std::filesystem::path& path,
                              std::optional<DType> activations = std::nullopt);

/// The weights of a file as f32 for inference: without masks, and with zeros where a mask X.weight_mask drops entries.
/// Throws Error, naming the tensor, on a mask that does not fit its weight and on weights that count times a scale
/// (X.weight_mask_scale).
std::vector<NamedTensor> EffectiveWeights(const SafetensorsFile& file);

}  // namespace twofour::train
