#include "twofour/train/program/sweep/sweep_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "twofour/core/error.h"

namespace twofour::train {

SweepLock::SweepLock(FileSystem& files, const std::filesystem::path& folder)
    : descriptor_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw Error(fmt::format("cannot open {}: {}", folder.string(), std::strerror(errno)), ErrorKind::kRuntimeFailure);
  }
  try {
    const LockResult result = files.TryLock(descriptor_, LockKind::kExclusive, folder);
    if (result == LockResult::kHeldElsewhere) {
      throw Error(fmt::format("{}: another sweep is at work in this folder", folder.string()));
    }
    supported_ = result == LockResult::kTaken;
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

bool SweepLock::IsHeld(FileSystem& files, const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  bool held = false;
  try {
    held = files.TryLock(descriptor, LockKind::kShared, folder) == LockResult::kHeldElsewhere;
  } catch (const Error&) {  // It is not known then.
  }
  close(descriptor);
  return held;
}

SweepLock::~SweepLock() { close(descriptor_); }

}  // namespace twofour::train
