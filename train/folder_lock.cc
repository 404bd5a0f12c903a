#include "twofour/train/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "twofour/core/error.h"

namespace twofour::train {

namespace fs = std::filesystem;

FolderLock::FolderLock(FileSystem& files, const fs::path& folder)
    : descriptor_(open((folder / kFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) {
    throw Error(fmt::format("cannot write to {}: {}", folder.string(), std::strerror(errno)),
                ErrorKind::kRuntimeFailure);
  }
  try {
    const LockResult result = files.TryLock(descriptor_, LockKind::kExclusive, folder / kFile);
    if (result == LockResult::kHeldElsewhere) {
      throw Error(fmt::format("{}: another trainer is working in this run folder", folder.string()));
    }
    supported_ = result == LockResult::kTaken;
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool FolderLock::IsAbandoned(FileSystem& files, const fs::path& folder) {
  const int descriptor = open((folder / kFile).c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return false;
  bool taken = false;
  try {
    taken = files.TryLock(descriptor, LockKind::kExclusive, folder / kFile) == LockResult::kTaken;
  } catch (const Error&) {  // It cannot be found out.
  }
  close(descriptor);
  return taken;
}

}  // namespace twofour::train
