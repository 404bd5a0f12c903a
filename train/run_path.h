#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Returns "runs/a" for "runs/a/", because tab completion adds the slash.
std::filesystem::path FolderPath(const std::string& argument);

/// A run's folder, and a checkpoint in it: the one that was named, or else the newest. No checkpoint: the run was
/// stopped before its first one.
struct RunPath {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> checkpoint;
  bool names_checkpoint = false;
  std::shared_ptr<FileLock> hold = {};  ///< While it lives, a trainer of the run does not remove the checkpoint.
};

/// The folder, without links, of the run that a checkpoint's folder (or a link to one) belongs to. Nothing where it
/// belongs to no run.
std::optional<std::filesystem::path> RunOfCheckpoint(FileSystem& files, const std::filesystem::path& checkpoint);

/// Throws Error if `folder`, where something new is to be, lies in the folder of a run: the run may take it for a
/// checkpoint of its own and remove it. Links on the way count as what they are and as what they point to.
void RequireInNoRun(FileSystem& files, const std::filesystem::path& folder);

/// Finds out what the `argument` of `option` ("--resume") names: a run's folder or a checkpoint within one. Holds the
/// checkpoint, because another process may be training the run. Throws Error when it is neither.
RunPath FindRun(const std::string& option, const std::string& argument);

}  // namespace twofour::train
