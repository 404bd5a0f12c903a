#include "twofour/train/folder_lock.h"

#include <fmt/format.h>

#include <utility>

#include "twofour/core/error.h"

namespace twofour::train {

namespace fs = std::filesystem;

FolderLock::FolderLock(FileSystem& files, const fs::path& folder) {
  LockAttempt attempt = files.TryLock(folder / kFile, LockKind::kExclusive, MakeFile::kYes);
  if (attempt.result == LockResult::kHeldElsewhere) {
    throw Error(fmt::format("{}: another trainer is working in this run folder", folder.string()));
  }
  lock_ = std::move(attempt.lock);
}

std::optional<FolderLock> FolderLock::TakeAbandoned(FileSystem& files, const fs::path& folder) {
  try {
    LockAttempt attempt = files.TryLock(folder / kFile, LockKind::kExclusive);
    if (attempt.result == LockResult::kTaken) return FolderLock(std::move(attempt.lock));
  } catch (const Error&) {
    // There is no lock, or it cannot be opened.
  }
  return std::nullopt;
}

}  // namespace twofour::train
