#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// Throws Error if `folder`, where a new run is to be, equals `source`, the folder of the run that it branches off, or
/// if one of them lies in the other. The run in `source` must stay as it is, even with --overwrite.
void RequireApart(const std::filesystem::path& folder, const std::filesystem::path& source);

/// Throws Error if one of the files that a new run needs lies in `folder`, whose place the run takes.
void RequireOutside(const std::filesystem::path& folder, const std::vector<std::string>& needed);

/// Copies what a run has done up to its checkpoint `start` into the folder of another run that branches off there.
/// These are the metrics, the best checkpoint, and `start` itself, so that the new run can be resumed from the
/// beginning. Only reads the folder `source`, because another process may be training in it.
void CopyBeginning(FileSystem& files, const std::filesystem::path& source, const CheckpointData& start,
                   const RunFiles& paths);

}  // namespace twofour::train
