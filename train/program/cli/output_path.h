#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace twofour::train {

/// The file that `--output PATH` names: links are followed, also one whose file does not exist yet. `needed`: files
/// that somebody reads. Throws Error if the path is something other than a regular file or a free name, if it is one of
/// the needed files, if it may not be written to or its folder is not there, and if it is a file that a run has
/// written.
std::filesystem::path OutputFile(const std::string& path, const std::vector<std::string>& needed);

/// Throws Error, beginning with `argument` ("--output PATH"), if the path has the place of a file that runs write.
void RequireNoFileOfARun(const std::string& argument, const std::filesystem::path& path);

/// The folder that `--output PATH` names. Throws Error if something is there, if the folder around it is not, and if it
/// has the place of a file that runs write.
std::filesystem::path OutputFolder(const std::string& path);

}  // namespace twofour::train
