#pragma once

#include <filesystem>

#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// Copies what a run has done up to its checkpoint `start` into the folder of another run that branches off there.
/// These are the metrics, the best checkpoint, and `start` itself, so that the new run can be resumed from the
/// beginning. Only reads the folder `source`, because another process may be training in it.
void CopyBeginning(FileSystem& files, const std::filesystem::path& source, const CheckpointData& start,
                   const RunFiles& paths);

}  // namespace twofour::train
