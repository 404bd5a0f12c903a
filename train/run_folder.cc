#include "twofour/train/run_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/replace_directory.h"
#include "twofour/core/io/text.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// The absolute path without links, because the working folder may be renamed or changed later.
fs::path Resolved(const fs::path& path) {
  std::error_code ignored;
  const fs::path resolved = fs::weakly_canonical(fs::absolute(path, ignored), ignored);
  return resolved.empty() ? path : resolved;
}

/// Whether `path` is `folder` or lies in it. Neither may contain links.
bool LiesIn(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

/// Empty where the working folder no longer exists.
fs::path WorkingFolder() {
  std::error_code ignored;
  return fs::canonical(".", ignored);
}

/// Where a new folder for `target` is made: beside `target`, or within it when `target` cannot be renamed.
fs::path TemporaryFor(const fs::path& target, bool stays) { return TemporaryPathFor(stays ? target / "run" : target); }

/// Whether `name` is that of such a folder, whichever process made it.
bool IsTemporaryOf(const fs::path& temporary, const std::string& name) {
  const std::string own = temporary.filename().string();
  const std::string prefix = own.substr(0, own.rfind('-') + 1);  // ".NAME.tmp-" of ".NAME.tmp-PID".
  return name.starts_with(prefix) && name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
}

/// Whether a folder holds nothing but temporary folders, which killed processes left.
bool IsAsGoodAsEmpty(FileSystem& files, const fs::path& folder) {
  const fs::path temporary = TemporaryFor(folder, /*stays=*/true);
  return std::ranges::all_of(files.ListDirectory(folder),
                             [&](const std::string& name) { return IsTemporaryOf(temporary, name); });
}

/// The names in a folder that do not belong to a run.
std::vector<std::string> NotOfARun(FileSystem& files, const fs::path& folder) {
  std::vector<std::string> names = files.ListDirectory(folder);
  std::erase_if(names, RunFiles::IsOwn);
  return names;
}

/// "NAME.replaced" beside a folder, with a number after it where that name is taken.
fs::path FreePathForReplaced(FileSystem& files, const fs::path& folder) {
  fs::path path = fs::path(folder) += ".replaced";
  for (int number = 2; files.Exists(path); ++number) path = fmt::format("{}.replaced-{}", folder.string(), number);
  return path;
}

/// Where a number begins in ".NAME.tmp-NUMBER".
size_t NumberIn(const std::string& name) { return name.rfind('-') + 1; }

/// The name ".NAME.tmp-0PID", under which this process removes temporary folders. No process makes its own folder
/// there, because process numbers do not begin with 0.
fs::path DoomedPathFor(const fs::path& temporary) {
  const std::string name = temporary.filename().string();
  return temporary.parent_path() / fmt::format("{}0{}", name.substr(0, NumberIn(name)), name.substr(NumberIn(name)));
}

/// Whether a temporary folder's name says that a process had begun to remove it.
bool IsDoomed(const std::string& name) { return name.substr(NumberIn(name)).starts_with('0'); }

/// Gives a folder that is to be removed the doomed name for `temporary`. From then on anybody may remove it, even if a
/// kill in the middle has left no lock in it. Returns where it lies then. Throws Error.
fs::path Doom(FileSystem& files, const fs::path& path, const fs::path& temporary) {
  const fs::path doomed = DoomedPathFor(temporary);
  try {
    if (!files.RenameDirectory(path, doomed)) return path;  // It lies in a lower layer of an overlay.
  } catch (const Error&) {
    // A rename that reports a failure may have happened all the same, so look at what is there.
    if (files.Exists(path) || !files.Exists(doomed)) throw;
  }
  return doomed;
}

/// Dooms a folder whose lock is held, then drops the lock, and only then removes anything. So nobody takes the folder
/// before it has another name. Throws Error.
void RemoveLocked(FileSystem& files, const fs::path& path, const fs::path& temporary, FolderLock& lock) {
  const fs::path left = Doom(files, path, temporary);
  lock.Drop();
  files.RemoveAll(left);
}

/// Removes a temporary folder if its lock is there and nobody holds it. Keeps one with entries that are not a run's
/// own. Ignores failures: the folder is in nobody's way, and another process may be removing it, too.
void RemoveIfAbandoned(FileSystem& files, const fs::path& path, const fs::path& temporary) noexcept {
  try {
    std::optional<FolderLock> lock = FolderLock::TakeAbandoned(files, path);
    if (lock && NotOfARun(files, path).empty()) RemoveLocked(files, path, temporary, *lock);
  } catch (...) {
  }
}

/// Removes what killed processes left of this folder: temporary folders that are doomed, or whose lock nobody holds any
/// more. Keeps an old run that such a process had put aside (see ReplaceDirectory), and a replaced run that still holds
/// entries that are not its own.
void RemoveLeftOver(FileSystem& files, const fs::path& temporary) {
  // Doomed ones come first in the list, so our own doomed name is free when it is needed.
  for (const std::string& name : files.ListDirectory(temporary.parent_path())) {
    if (!IsTemporaryOf(temporary, name)) continue;
    const fs::path path = temporary.parent_path() / name;
    if (IsDoomed(name)) {
      RemoveAfterFailure(files, path);
    } else {
      RemoveIfAbandoned(files, path, temporary);
    }
  }
}

void RequireNoDanglingLink(FileSystem& files, const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(fs::symlink_status(path, ignored)) || files.Exists(path)) return;
  throw Error(fmt::format("{}: is a link to {}, which does not exist; make that folder, or choose another with --out",
                          path.string(), fs::read_symlink(path, ignored).string()));
}

}  // namespace

RunFolder::RunFolder(FileSystem& files, fs::path path)
    : files_(&files), paths_{std::move(path)}, lock_(files, paths_.folder) {}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : files_(other.files_),
      paths_(std::move(other.paths_)),
      notes_(std::move(other.notes_)),
      lock_(std::move(other.lock_)),
      temporary_(std::exchange(other.temporary_, {})),
      given_(std::move(other.given_)),
      target_(std::move(other.target_)),
      stays_(other.stays_),
      old_lock_(std::exchange(other.old_lock_, std::nullopt)) {}

RunFolder::~RunFolder() {
  if (temporary_.empty()) return;
  try {
    RemoveLocked(*files_, temporary_, temporary_, lock_);
  } catch (...) {  // The next run removes it.
  }
}

void RunFolder::CheckFree(FileSystem& files, const fs::path& path, IfExists if_exists) {
  RequireNoDanglingLink(files, path);
  RequireInNoRun(files, path);
  if (!files.Exists(path) || (fs::is_directory(path) && IsAsGoodAsEmpty(files, path))) return;
  if (if_exists == IfExists::kFail) {
    throw Error(
        fmt::format("{}: exists already; start anew with --overwrite, or choose another folder with --out "
                    "(trainer --resume goes on with a run)",
                    path.string()));
  }
  if (!files.Exists(RunFiles{path}.config()) || !files.Exists(path / FolderLock::kFile)) {
    throw Error(fmt::format("{}: holds no config.pbtxt or no .lock, so it is not a run's folder and is not overwritten",
                            path.string()));
  }
  const fs::path target = Resolved(path), working = WorkingFolder();
  if (working != target && LiesIn(working, target)) {
    throw Error(fmt::format(
        "{}: the working folder, {}, lies in it and would be removed along with the run; expected another working "
        "folder, or another folder with --out",
        path.string(), working.string()));
  }
}

RunFolder RunFolder::Prepare(FileSystem& files, const fs::path& path, const std::string& config_text,
                             IfExists if_exists, const Fill& fill) {
  CheckFree(files, path, if_exists);
  const fs::path target = Resolved(path);  // What a link points to is replaced, not the link itself.
  const bool exists = files.Exists(target);
  const bool stays = exists && (WorkingFolder() == target || !files.CanGiveAway(target));
  if (!exists) files.CreateDirectories(target.parent_path());
  const fs::path temporary = TemporaryFor(target, stays);
  RemoveLeftOver(files, temporary);
  // An earlier process, for which it could not be renamed, may have left something within it.
  if (exists && !stays) RemoveLeftOver(files, TemporaryFor(target, /*stays=*/true));
  // Left by a killed process that had our process number. If it cannot be moved, it is not removed either.
  if (files.Exists(temporary) && !NotOfARun(files, temporary).empty()) {
    MoveDirectory(files, temporary, FreePathForReplaced(files, target));
  }
  try {
    files.RemoveAll(temporary);
    files.CreateDirectories(temporary);
    RunFolder folder(files, temporary);
    folder.NoteLackOfLock(path);
    folder.temporary_ = temporary;
    folder.given_ = path;
    folder.target_ = target;
    folder.stays_ = stays;
    WriteText(files, folder.paths_.config(), config_text);
    if (fill) fill(folder.paths_);
    if (files.Exists(RunFiles{target}.config())) folder.old_lock_.emplace(files, target);
    return folder;
  } catch (...) {
    RemoveAfterFailure(files, temporary);
    throw;
  }
}

void RunFolder::NoteLackOfLock(const fs::path& path) {
  if (lock_.supported()) return;
  notes_.push_back(fmt::format(
      "{}: its file system has no locks, so nothing keeps a second trainer out of this folder: no two may share it",
      path.string()));
}

void RunFolder::TakePlace() {
  fs::path old;
  if (stays_) {
    // The lock of a run that is replaced stays where it is, so that nobody finds the folder without one.
    const auto stays = [this](const std::string& name) {
      return !RunFiles::IsOwn(name) || (is_waiting() && name == FolderLock::kFile);
    };
    const std::vector<std::string> kept = NotOfARun(*files_, target_);
    old = ReplaceContents(*files_, temporary_, target_, RunFiles{}.config().filename().string(), stays);
    NoteKept(kept);
  } else if (is_waiting()) {
    old = ReplaceDirectory(*files_, temporary_, target_);
  } else {
    files_->Rename(temporary_, target_);
  }
  const fs::path left = std::exchange(temporary_, {});
  std::optional<FolderLock> old_lock = std::exchange(old_lock_, std::nullopt);
  paths_ = {given_};
  // No lock in what is removed may be held any more: see FolderLock::Drop.
  if (stays_ && old_lock) lock_ = std::move(*old_lock);
  old_lock.reset();
  // The old run is removed only now, after the new one has taken its place.
  if (stays_) RemoveOld(left);
  if (!old.empty()) RemoveOld(old);
}

void RunFolder::RemoveOld(const fs::path& old) {
  try {
    if (CarryOver(old)) files_->RemoveAll(Doom(*files_, old, TemporaryFor(target_, stays_)));
  } catch (const Error& error) {
    notes_.push_back(fmt::format("of the run that was replaced: {}", error.what()));
  }
}

void RunFolder::NoteKept(const std::vector<std::string>& names) {
  if (names.empty()) return;
  notes_.push_back(
      fmt::format("{}: kept what is not of the run that was replaced: {}", given_.string(), fmt::join(names, ", ")));
}

bool RunFolder::CarryOver(const fs::path& old) {
  std::vector<std::string> kept, left;
  std::string reason;
  for (const std::string& name : NotOfARun(*files_, old)) {
    try {
      if (files_->Exists(target_ / name)) throw Error("the new one has such a name already");
      MoveEntry(*files_, old / name, target_ / name);
      kept.push_back(name);
    } catch (const Error& error) {
      left.push_back(name);
      reason = error.what();
    }
  }
  NoteKept(kept);
  if (left.empty()) return true;
  fs::path place = old;
  try {
    const fs::path named = FreePathForReplaced(*files_, target_);
    MoveDirectory(*files_, old, named);
    place = named;
  } catch (const Error&) {
    // Then it stays where it is.
  }
  notes_.push_back(
      fmt::format("{}: the run that was replaced lies there, with what is not of it and could not be kept "
                  "in the new one's folder: {}, because: {}",
                  place.string(), fmt::join(left, ", "), reason));
  return false;
}

RunFolder RunFolder::Create(FileSystem& files, const fs::path& path, const std::string& config_text, IfExists if_exists,
                            const Fill& fill) {
  RunFolder folder = Prepare(files, path, config_text, if_exists, fill);
  folder.TakePlace();
  return folder;
}

RunFolder RunFolder::Open(FileSystem& files, const fs::path& path) {
  if (!files.Exists(RunFiles{path}.config())) {
    throw Error(fmt::format("{}: holds no config.pbtxt, expected the folder of a run", path.string()));
  }
  RunFolder opened(files, path);
  opened.NoteLackOfLock(path);
  return opened;
}

void RunFolder::RemoveUnfinished() {
  for (const std::string& name : files_->ListDirectory(paths_.folder)) {
    if (IsTemporaryName(name)) files_->RemoveAll(paths_.folder / name);
  }
}

}  // namespace twofour::train
