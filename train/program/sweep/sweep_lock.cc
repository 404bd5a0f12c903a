#include "twofour/train/program/sweep/sweep_lock.h"

#include <fmt/format.h>

#include <utility>

#include "twofour/core/error.h"

namespace twofour::train {

SweepLock::SweepLock(FileSystem& files, const std::filesystem::path& folder) {
  LockAttempt attempt = files.TryLock(folder, LockKind::kExclusive);
  if (attempt.result == LockResult::kHeldElsewhere) {
    throw Error(fmt::format("{}: another sweep is at work in this folder", folder.string()));
  }
  lock_ = std::move(attempt.lock);
}

bool SweepLock::IsHeld(FileSystem& files, const std::filesystem::path& folder) {
  try {
    return files.TryLock(folder, LockKind::kShared).result == LockResult::kHeldElsewhere;
  } catch (const Error&) {  // It is not known then.
    return false;
  }
}

}  // namespace twofour::train
