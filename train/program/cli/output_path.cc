#include "twofour/train/program/cli/output_path.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {

namespace fs = std::filesystem;

namespace {

/// Where the file will be: links are followed, also one whose file does not exist yet.
fs::path Target(const std::string& path) {
  std::error_code ignored;
  const fs::path target =
      fs::is_symlink(path, ignored) ? fs::path(path).parent_path() / fs::read_symlink(path, ignored) : fs::path(path);
  std::error_code failed;
  const fs::path resolved = fs::weakly_canonical(target, failed);
  return failed ? target : resolved;
}

}  // namespace

void RequireNoFileOfARun(const std::string& argument, const fs::path& path) {
  fs::path below = path.filename();
  for (fs::path folder = path.parent_path(); folder.has_filename(); folder = folder.parent_path()) {
    if (RunFiles{folder}.IsRun(FileSystem::Default()) && RunFiles::IsOwn(below.string())) {
      throw Error(fmt::format("{}: is a file of the run in {}, which would be lost", argument, folder.string()));
    }
    below = folder.filename();
  }
}

fs::path OutputFile(const std::string& path, const std::vector<std::string>& needed) {
  std::error_code ignored;
  const fs::path target = Target(path);
  // A device or a pipe would be replaced by a file.
  const bool is_other = fs::exists(path, ignored) && !fs::is_regular_file(path, ignored);
  if (!target.has_filename() || is_other || fs::is_symlink(target, ignored)) {
    throw Error(fmt::format("--output {}: no regular file, expected one or a free name", path));
  }
  for (const std::string& file : needed) {
    if (!fs::equivalent(file, target, ignored)) continue;
    throw Error(fmt::format("--output {}: is {}, which is needed and would be lost", path, file));
  }
  if (fs::exists(target, ignored) && access(target.c_str(), W_OK) != 0) {
    throw Error(fmt::format("--output {}: may not be written to", path));
  }
  RequireNoFileOfARun("--output " + path, target);
  const fs::path folder = target.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("--output {}: there is no folder {}", path, folder.string()));
  }
  return target;
}

fs::path OutputFolder(const std::string& path) {
  std::error_code ignored;
  const fs::path folder = FolderPath(path), parent = folder.parent_path();
  if (!folder.has_filename() || fs::exists(fs::symlink_status(folder, ignored))) {
    throw Error(fmt::format("--output {}: is there already, expected a free name for a folder", path));
  }
  if (!parent.empty() && !fs::is_directory(parent, ignored)) {
    throw Error(fmt::format("--output {}: there is no folder {}", path, parent.string()));
  }
  RequireNoFileOfARun("--output " + path, fs::weakly_canonical(fs::absolute(folder, ignored), ignored));
  return folder;
}

}  // namespace twofour::train
