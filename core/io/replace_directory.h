#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "twofour/core/io/file_system.h"

namespace twofour {

/// Renames a directory within one file system. Where only files can be renamed (see FileSystem::RenameDirectory), makes
/// new directories and renames the files into them, one by one. On failure everything is put back. Throws Error: the
/// first failure.
void MoveDirectory(FileSystem& file_system, const std::filesystem::path& from, const std::filesystem::path& to);

/// Puts the directory `replacement` in the place of the directory `path`. Returns where the latter lies then; the
/// caller removes it. This is one step where the file system has one (Exchange). Elsewhere both directories are moved,
/// and a process that is killed in between leaves the old directory under that other name. On failure the old directory
/// is put back. Throws Error: the first failure.
std::filesystem::path ReplaceDirectory(FileSystem& file_system, const std::filesystem::path& replacement,
                                       const std::filesystem::path& path);

/// The same, but returns nothing, and changes nothing, where the file system cannot rename the directory `path`.
std::optional<std::filesystem::path> TryReplaceDirectory(FileSystem& file_system,
                                                         const std::filesystem::path& replacement,
                                                         const std::filesystem::path& path);

/// For a directory that cannot be renamed: replaces the contents of `path` with those of the directory `replacement`,
/// which lies in `path`. Returns where the old contents lie then; an empty path: there were none. The caller removes
/// them and `replacement`, which holds only entries that stay then. The file `mark` goes first and comes last, so that
/// contents which a killed process leaves half done lack it. On failure the old contents are put back. Entries of both
/// for which `stays` is true are left alone; null: all are replaced. Throws Error: the first failure.
std::filesystem::path ReplaceContents(FileSystem& file_system, const std::filesystem::path& replacement,
                                      const std::filesystem::path& path, const std::string& mark,
                                      const std::function<bool(const std::string& name)>& stays = {});

/// Moves a file, link or directory, within one file system, as MoveDirectory does. Throws Error.
void MoveEntry(FileSystem& file_system, const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace twofour
