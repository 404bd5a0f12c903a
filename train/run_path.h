#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// "runs/a/" as "runs/a": tab completion adds the slash.
std::filesystem::path FolderPath(const std::string& argument);

/// A run's folder, and the checkpoint in it that is meant: the newest one, or the one named. None: the run was stopped
/// before its first.
struct RunPath {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> checkpoint;
  bool names_checkpoint = false;
};

/// The folder of the run that a checkpoint's folder (or a link to one) belongs to, without links; nothing where it lies
/// in none.
std::optional<std::filesystem::path> RunOfCheckpoint(FileSystem& files, const std::filesystem::path& checkpoint);

/// Finds out what `argument` to `option` ("--resume") names: a run's folder or a checkpoint within one. Throws Error
/// when it is neither.
RunPath FindRun(const std::string& option, const std::string& argument);

}  // namespace twofour::train
