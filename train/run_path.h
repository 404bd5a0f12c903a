#pragma once

#include <filesystem>
#include <optional>
#include <string>

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

/// Finds out what `argument` to `option` ("--resume") names: a run's folder or a checkpoint within one. Throws Error
/// when it is neither.
RunPath FindRun(const std::string& option, const std::string& argument);

}  // namespace twofour::train
