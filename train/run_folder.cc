#include "twofour/train/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = ".lock";

/// Takes the lock that the kernel drops when this process ends, however it ends.
int TakeLock(const fs::path& folder) {
  const fs::path path = folder / kLockFile;
  const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) {
    throw Error(fmt::format("cannot write to {}: {}", folder.string(), std::strerror(errno)),
                ErrorKind::kRuntimeFailure);
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    throw Error(fmt::format("{}: another trainer is working in this run folder", folder.string()));
  }
  return lock;
}

/// Removes what processes that were killed while they made this folder left beside it: whose lock nobody holds any
/// more. An old run that such a process had renamed aside (see ReplaceDirectory) is not among it.
void RemoveLeftOver(FileSystem& files, const fs::path& path) {
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const std::string prefix = fmt::format(".{}.tmp-", path.filename().string());
  for (const std::string& name : files.ListDirectory(parent)) {
    if (!name.starts_with(prefix) || name.find_first_not_of("0123456789", prefix.size()) != std::string::npos) continue;
    const int lock = open((parent / name / kLockFile).c_str(), O_RDWR | O_CLOEXEC);
    if (lock < 0) continue;
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) RemoveAfterFailure(files, parent / name);
    close(lock);
  }
}

}  // namespace

RunFolder::RunFolder(fs::path path) : paths_{std::move(path)}, lock_(TakeLock(paths_.folder)) {}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : paths_(std::move(other.paths_)), left_over_(std::move(other.left_over_)), lock_(std::exchange(other.lock_, -1)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) close(lock_);
}

void RunFolder::CheckFree(FileSystem& files, const fs::path& path, IfExists if_exists) {
  if (!files.Exists(path) || (fs::is_directory(path) && files.ListDirectory(path).empty())) return;
  if (if_exists == IfExists::kFail) {
    throw Error(
        fmt::format("{}: exists already; go on with --resume, start anew with --overwrite, or choose another "
                    "folder with --out",
                    path.string()));
  }
  if (!files.Exists(RunFiles{path}.config()) || !files.Exists(path / kLockFile)) {
    throw Error(fmt::format("{}: holds no config.pbtxt or no .lock, so it is not a run's folder and is not overwritten",
                            path.string()));
  }
}

RunFolder RunFolder::Create(FileSystem& files, const fs::path& given_path, const std::string& config_text,
                            IfExists if_exists, const Fill& fill) {
  std::error_code ignored;
  fs::path path = fs::weakly_canonical(given_path, ignored);  // What a link points to is replaced, not the link.
  if (path.empty()) path = given_path;
  CheckFree(files, path, if_exists);
  if (path.has_parent_path()) files.CreateDirectories(path.parent_path());
  RemoveLeftOver(files, path);
  const fs::path temporary = TemporaryPathFor(path);
  fs::path old;
  std::optional<RunFolder> folder;
  try {
    files.RemoveAll(temporary);  // Of a killed process that had our number.
    files.CreateDirectories(temporary);
    folder.emplace(RunFolder(temporary));  // Its lock goes along when it is renamed.
    WriteText(files, RunFiles{temporary}.config(), config_text);
    if (fill) fill({temporary});
    // The old run goes only when the new one stands in its place.
    if (files.Exists(RunFiles{path}.config())) {
      const RunFolder in_use_by_nobody_else(path);
      old = ReplaceDirectory(files, temporary, path);
    } else {
      files.Rename(temporary, path);
    }
  } catch (...) {
    RemoveAfterFailure(files, temporary);
    throw;
  }
  folder->paths_ = {given_path};
  if (!old.empty()) {
    try {
      files.RemoveAll(old);
    } catch (const Error& error) {
      folder->left_over_ = error.what();
    }
  }
  return std::move(*folder);
}

RunFolder RunFolder::Open(FileSystem& files, const fs::path& path) {
  if (!files.Exists(RunFiles{path}.config())) {
    throw Error(fmt::format("{}: holds no config.pbtxt, expected the folder of a run", path.string()));
  }
  RunFolder opened(path);
  // Of processes that were killed while they wrote, but for what checkpoints/ holds: see PrepareToResume. Nobody else
  // works here now.
  for (const std::string& name : files.ListDirectory(path)) {
    if (IsTemporaryName(name)) files.RemoveAll(path / name);
  }
  return opened;
}

}  // namespace twofour::train
