#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/folder_lock.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// The folder that one run writes, with the files of RunFiles. One process at a time holds it, where the file system
/// has locks.
class RunFolder {
 public:
  enum class IfExists { kFail, kOverwrite };

  /// Throws the Error that Prepare would throw because of what is at `path`.
  static void CheckFree(FileSystem& files, const std::filesystem::path& path, IfExists if_exists);
  /// Writes all files of a new folder but its config. `paths` lie in the folder that will later be renamed to its
  /// place.
  using Fill = std::function<void(const RunFiles& paths)>;

  /// Makes a new folder under a temporary name, with the config and what `fill` writes. TakePlace gives it its final
  /// name. If TakePlace is never called, the new folder is removed. Until then nothing changes at `path`, and a run
  /// that lies there stays locked, so that nobody continues it. Throws Error when `path` lies in a run's folder (see
  /// RequireInNoRun) or holds anything. With kOverwrite it may be a run's folder; a folder without config.pbtxt or
  /// .lock is no run's and still an Error.
  static RunFolder Prepare(FileSystem& files, const std::filesystem::path& path, const std::string& config_text,
                           IfExists if_exists, const Fill& fill = {});
  /// Prepare, then TakePlace.
  static RunFolder Create(FileSystem& files, const std::filesystem::path& path, const std::string& config_text,
                          IfExists if_exists, const Fill& fill = {});
  /// Opens the folder of a run to continue it. Changes nothing in it, but makes the file to lock if there is none.
  /// Throws Error when there is no run or another process works in its folder.
  static RunFolder Open(FileSystem& files, const std::filesystem::path& path);
  /// Removes files that killed processes left unfinished. CheckpointStore::PrepareToResume does the same for
  /// checkpoints/.
  void RemoveUnfinished();

  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  /// Whether this folder still has to replace an earlier run.
  bool is_waiting() const { return old_lock_.has_value(); }
  /// Puts what Prepare has made in its place in one step, so that nobody sees a folder without config. The exception is
  /// an old folder that cannot be renamed (a mount point, the working folder, one in a parent that may not be written
  /// to): its contents are exchanged, and a process that is killed meanwhile leaves it without config. Whatever fails,
  /// the name belongs to the old run or to the new one. Throws Error.
  void TakePlace();

  const RunFiles& paths() const { return paths_; }
  /// Notes for the user: that the folder is not locked; which entries of the replaced run's folder did not belong to
  /// that run (see RunFiles::IsOwn) and so are kept in the new one; what could not be kept there, or not be removed.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  /// Takes the folder's lock.
  RunFolder(FileSystem& files, std::filesystem::path path);
  void NoteLackOfLock(const std::filesystem::path& path);
  void NoteKept(const std::vector<std::string>& names);
  void RemoveOld(const std::filesystem::path& old);
  /// Moves what does not belong to the old run into the new one's folder. Returns whether all of it was moved.
  bool CarryOver(const std::filesystem::path& old);

  FileSystem* files_;
  RunFiles paths_;
  std::vector<std::string> notes_;
  FolderLock lock_;
  std::filesystem::path temporary_;       // Where it lies until TakePlace; empty from then on.
  std::filesystem::path given_, target_;  // Its final path: as given, and without links.
  bool stays_ = false;                    // The folder at target_ cannot be renamed.
  std::optional<FolderLock> old_lock_;    // The lock of the run that it is to replace.
};

}  // namespace twofour::train
