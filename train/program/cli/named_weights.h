#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/train/run_path.h"

namespace twofour::train {

/// The weights that an argument names.
struct NamedWeights {
  std::filesystem::path path;  ///< The file, or the index of the shards.
  RunPath run;                 ///< Without a folder where the argument names no run.
  SafetensorsFile file;
};

/// Reads the argument itself if it is a safetensors file or an index of shards (a name that ends in .json). In a run:
/// its final weights, or else those of its newest checkpoint; or those of the checkpoint that was named, which is held
/// while they are read. In any other folder: see WeightFileOf. Throws Error where there are none; `command` is for
/// messages.
NamedWeights LoadNamedWeights(FileSystem& files, const std::string& command, const std::string& argument);

}  // namespace twofour::train
