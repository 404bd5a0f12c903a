#include "twofour/train/program/cli/named_weights.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors_shards.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/exchange/weight_source.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// Sets `run` if the argument names one.
fs::path FileOf(FileSystem& files, const std::string& command, const std::string& argument, RunPath& run) {
  const fs::path path = FolderPath(argument);
  const fs::path folder = CheckpointStore::FollowNamingFile(files, path).value_or(path);
  if (!fs::is_directory(folder)) return path;
  const bool in_run = files.Exists(folder / CheckpointStore::kStateFile) && RunOfCheckpoint(files, folder);
  if (in_run || files.Exists(RunFiles{folder}.config())) {
    run = FindRun(command, argument);
    if (const fs::path model = RunFiles{run.folder}.model(); !run.names_checkpoint && files.Exists(model)) return model;
    if (run.checkpoint) return *run.checkpoint / CheckpointStore::kModelFile;
    throw Error(fmt::format("{}: the run has no weights yet, expected {} or a checkpoint", argument,
                            CheckpointStore::kModelFile));
  }
  return WeightFileOf(files, folder);
}

}  // namespace

NamedWeights LoadNamedWeights(FileSystem& files, const std::string& command, const std::string& argument) {
  NamedWeights weights;
  weights.path = FileOf(files, command, argument, weights.run);
  const bool is_index = weights.path.extension() == ".json";
  weights.file = is_index ? LoadShards(files, weights.path) : LoadSafetensors(files, weights.path);
  return weights;
}

}  // namespace twofour::train
