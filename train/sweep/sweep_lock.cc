#include "twofour/train/sweep/sweep_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "twofour/core/error.h"

namespace twofour::train {

SweepLock::SweepLock(const std::filesystem::path& folder)
    : descriptor_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw Error(fmt::format("cannot open {}: {}", folder.string(), std::strerror(errno)), ErrorKind::kRuntimeFailure);
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor_);
    throw Error(fmt::format("{}: another sweep is at work in this folder", folder.string()));
  }
}

bool SweepLock::IsHeld(const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool held = flock(descriptor, LOCK_SH | LOCK_NB) != 0;
  close(descriptor);
  return held;
}

SweepLock::~SweepLock() { close(descriptor_); }

}  // namespace twofour::train
