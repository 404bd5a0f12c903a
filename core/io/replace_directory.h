#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "twofour/core/io/file_system.h"

namespace twofour {

/// Renames a directory, within one file system. Where only files can be renamed (see FileSystem::RenameDirectory), its
/// files are, one by one, into directories that are made anew. On failure all is put back. Throws Error: the first
/// failure.
void MoveDirectory(FileSystem& file_system, const std::filesystem::path& from, const std::filesystem::path& to);

/// Puts the directory `replacement` in the place of the directory `path`, and returns where the latter lies then, for
/// the caller to remove. In one step where the file system has one (Exchange); elsewhere by moving twice, where a
/// process that is killed in between leaves the old directory under that other name. On failure the old directory is
/// put back. Throws Error: the first failure.
std::filesystem::path ReplaceDirectory(FileSystem& file_system, const std::filesystem::path& replacement,
                                       const std::filesystem::path& path);

/// The same, but nothing, with nothing changed, where the file system does not rename the directory `path`.
std::optional<std::filesystem::path> TryReplaceDirectory(FileSystem& file_system,
                                                         const std::filesystem::path& replacement,
                                                         const std::filesystem::path& path);

/// For a directory that has to stay where it is: puts what the directory `replacement`, which lies in `path`, holds in
/// the place of what `path` holds. Returns where the latter lies then, for the caller to remove as well as
/// `replacement`, which is empty; no path: there was nothing. The file `mark` goes first and comes last, so that what a
/// killed process leaves half done lacks it. On failure the old contents are put back. What `stays` is true of is let
/// alone; null: nothing is. Throws Error: the first failure.
std::filesystem::path ReplaceContents(FileSystem& file_system, const std::filesystem::path& replacement,
                                      const std::filesystem::path& path, const std::string& mark,
                                      const std::function<bool(const std::string& name)>& stays = {});

/// Moves a file, link or directory, within one file system, as MoveDirectory does. Throws Error.
void MoveEntry(FileSystem& file_system, const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace twofour
