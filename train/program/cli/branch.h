#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// Throws Error when the folder of a new run is that of the run it branches off, lies in it or holds it: the other run
/// must stay as it is, with --overwrite as well.
void RequireApart(const std::filesystem::path& folder, const std::filesystem::path& source);

/// Throws Error when one of the files that a new run needs lies in the folder whose place it takes.
void RequireOutside(const std::filesystem::path& folder, const std::vector<std::string>& needed);

/// Copies what a run has done up to its checkpoint `start` into the folder of another that branches off there: metrics,
/// the checkpoint itself, so that the new run can be gone on with from the beginning, and the best checkpoint. Only
/// reads the folder `source`, in which another process may be training.
void CopyBeginning(FileSystem& files, const std::filesystem::path& source, const CheckpointData& start,
                   const RunFiles& paths);

}  // namespace twofour::train
