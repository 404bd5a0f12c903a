#include "twofour/train/run_path.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

namespace fs = std::filesystem;

fs::path FolderPath(const std::string& argument) {
  const fs::path path = fs::path(argument).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

RunPath FindRun(const std::string& option, const std::string& argument) {
  FileSystem& files = FileSystem::Default();
  const fs::path path = FolderPath(argument);
  if (files.Exists(path / CheckpointStore::kStateFile)) {
    // DIR/checkpoints/step-N, through the links "best" and "last" and from within the run's folder as well.
    const fs::path checkpoint = fs::canonical(path);
    return {checkpoint.parent_path().parent_path(), checkpoint, true};
  }
  if (!files.Exists(RunFiles{path}.config())) {
    throw Error(fmt::format("{} {}: neither a run's folder (no config.pbtxt) nor a checkpoint (no trainer.json)",
                            option, argument));
  }
  return {path, CheckpointStore(files, RunFiles{path}.checkpoints(), 1).Newest()};
}

}  // namespace twofour::train
