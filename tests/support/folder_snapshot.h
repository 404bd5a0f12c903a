#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tests/support/text_file.h"

namespace twofour::test {

/// Everything in a folder and below: the contents of files, what links point to, and "folder" for folders.
inline std::map<std::string, std::string> SnapshotOf(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> snapshot;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path().parent_path(), folder) / entry.path().filename();
    snapshot[name] = entry.is_symlink()     ? "link to " + fs::read_symlink(entry.path()).string()
                     : entry.is_directory() ? "folder"
                                            : ReadTextFile(entry.path());
  }
  return snapshot;
}

}  // namespace twofour::test
