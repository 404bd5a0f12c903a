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

/// The folder that one run writes: the files of RunFiles. Held by one process at a time, where the file system has
/// locks.
class RunFolder {
 public:
  enum class IfExists { kFail, kOverwrite };

  /// Throws the Error that Prepare would throw because of what is at `path`.
  static void CheckFree(FileSystem& files, const std::filesystem::path& path, IfExists if_exists);
  /// Writes what a new folder holds beside its config, into the folder that will be renamed to its place.
  using Fill = std::function<void(const RunFiles& paths)>;

  /// Makes a new folder that holds the config and what `fill` writes, under a temporary name. TakePlace gives it its
  /// own, and one that never gets that far is removed. Until then nothing is changed at `path`, and a run that lies
  /// there is held, so that nobody goes on with it.
  /// Throws Error when `path` holds anything; with kOverwrite it may be a run's folder, and one that is no run's (has
  /// no config.pbtxt) is still an Error.
  static RunFolder Prepare(FileSystem& files, const std::filesystem::path& path, const std::string& config_text,
                           IfExists if_exists, const Fill& fill = {});
  /// Prepare and TakePlace.
  static RunFolder Create(FileSystem& files, const std::filesystem::path& path, const std::string& config_text,
                          IfExists if_exists, const Fill& fill = {});
  /// Opens the folder of a run to go on with it. Throws Error when there is none or another process works in it.
  static RunFolder Open(FileSystem& files, const std::filesystem::path& path);

  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  /// Whether this one stands aside for the run that it is to replace.
  bool is_waiting() const { return old_lock_.has_value(); }
  /// Puts what Prepare has made in its place, in one step: a folder without config is never seen. The exception is an
  /// old folder that has to stay where it is (a mount point, the working folder, one in a parent that may not be
  /// written to): its contents are exchanged, and a process that is killed meanwhile leaves it without config. Whatever
  /// fails, the old run or the new one has the name. Throws Error.
  void TakePlace();

  const RunFiles& paths() const { return paths_; }
  /// What there is to say about it: that it is not locked, what in the folder of the run that was replaced was not the
  /// run's (see RunFiles::IsOwn) and so is kept in the new one, and what could not be kept there, or not be removed.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  /// Takes its lock.
  RunFolder(FileSystem& files, std::filesystem::path path);
  void NoteLackOfLock(const std::filesystem::path& path);
  void NoteKept(const std::vector<std::string>& names);
  void RemoveOld(const std::filesystem::path& old);
  /// Moves what is not the old run's into the new one's folder. Whether nothing of it is left.
  bool CarryOver(const std::filesystem::path& old);

  FileSystem* files_;
  RunFiles paths_;
  std::vector<std::string> notes_;
  FolderLock lock_;
  std::filesystem::path temporary_;       // Where it lies until it takes its place; empty from then on.
  std::filesystem::path given_, target_;  // Its place, as it was given and without links.
  bool stays_ = false;                    // The folder at target_ has to stay where it is.
  std::optional<FolderLock> old_lock_;    // Of the run that it is to replace.
};

}  // namespace twofour::train
