#include "twofour/train/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
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

}  // namespace

RunFolder::RunFolder(fs::path path) : paths_{std::move(path)}, lock_(TakeLock(paths_.folder)) {}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : paths_(std::move(other.paths_)), lock_(std::exchange(other.lock_, -1)) {}

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
                            IfExists if_exists) {
  std::error_code ignored;
  fs::path path = fs::weakly_canonical(given_path, ignored);  // What a link points to is replaced, not the link.
  if (path.empty()) path = given_path;
  CheckFree(files, path, if_exists);
  if (path.has_parent_path()) files.CreateDirectories(path.parent_path());
  const fs::path temporary = TemporaryPathFor(path);
  files.CreateDirectories(temporary);
  try {
    WriteText(files, RunFiles{temporary}.config(), config_text);
    // The old run goes only when the new one stands in its place.
    const fs::path old = fs::path(temporary) += "-old";
    const bool replaces = files.Exists(RunFiles{path}.config());
    if (replaces) {
      const RunFolder in_use_by_nobody_else(path);
      files.Rename(path, old);
    }
    files.Rename(temporary, path);
    if (replaces) files.RemoveAll(old);
  } catch (const Error&) {
    files.RemoveAll(temporary);
    throw;
  }
  return RunFolder(given_path);
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
