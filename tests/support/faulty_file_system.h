#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"

namespace twofour::test {

/// Forwards to another file system and fails on request, like a full disk, a passing fault or a killed process. Reading
/// always works, except with FailReadingFrom. The mutating calls are CreateDirectories, WriteFile, Rename, Exchange,
/// SyncDirectory, RemoveAll, RenameDirectory, ReplaceSymlink, OpenForAppending and each Append to what that opened.
class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(FileSystem& base = FileSystem::Default()) : base_(base) {}

  /// Acts as a disk with room for `bytes` more. The WriteFile that does not fit writes what fits, removes its file and
  /// throws, as do all later ones that do not fit. An Append that does not fit writes nothing and throws. Removed files
  /// make no room. Other calls work.
  void FailAfterBytes(uint64_t bytes) { bytes_left_ = bytes; }
  /// The `call`-th mutating call from now on (1 is the next) does nothing and throws. Later calls work.
  void FailAtCall(int call) { failing_call_ = mutating_calls_ + call; }
  /// That call and all later mutating ones throw, as if the process was killed there. If the first of them is a
  /// WriteFile, it leaves the first half of its bytes behind. No later clean-up takes place.
  void CrashAtCall(int call) { crashing_call_ = mutating_calls_ + call; }
  /// The `call`-th mutating call from now on does its work and still throws, like a rename whose folder cannot be
  /// synced.
  void FailAfterCall(int call) { failing_after_call_ = mutating_calls_ + call; }
  /// Bytes from this offset on cannot be read, in any file.
  void FailReadingFrom(uint64_t offset) { readable_bytes_ = offset; }
  /// Calls `watcher` with the path at the beginning of every mutating call.
  void Watch(std::function<void(const Path& path)> watcher) { watcher_ = std::move(watcher); }
  /// Acts as a file system that cannot swap two names.
  void LackExchange() { can_exchange_ = false; }
  /// Acts as an overlay whose directories all lie in a lower layer, so that only files are renamed. Directories with
  /// `except` in their path can still be renamed.
  void RenameFilesOnly(std::string except) { renamed_all_the_same_ = std::move(except); }
  /// Acts as a disk whose directories are all mount points.
  void PinDirectories() { pinned_ = true; }
  /// Acts as a file system without symbolic links.
  void LackLinks() { has_links_ = false; }
  /// Acts as NFS, which keeps a file that is removed while this process has it open, under another name in the same
  /// folder. So a folder with such a file cannot be removed.
  void KeepOpenFiles() { keeps_open_files_ = true; }
  /// Acts as a file system without locks.
  void LackLocks() { has_locks_ = false; }
  /// From now on, nothing fails.
  void Heal();

  /// The number of mutating calls so far, including those that failed.
  int mutating_calls() const { return mutating_calls_; }

  void CreateDirectories(const Path& path) override;
  void WriteFile(const Path& path, Pieces pieces) override;
  void Rename(const Path& from, const Path& to) override;
  bool Exchange(const Path& one, const Path& other) override;
  bool RenameDirectory(const Path& from, const Path& to) override;
  bool CanGiveAway(const Path& directory) override { return !pinned_ && base_.CanGiveAway(directory); }
  void SyncDirectory(const Path& path) override;
  void RemoveAll(const Path& path) override;
  bool ReplaceSymlink(const Path& link, const Path& target) override;
  bool Exists(const Path& path) override { return base_.Exists(path); }
  std::vector<std::string> ListDirectory(const Path& path) override { return base_.ListDirectory(path); }
  std::unique_ptr<ReadableFile> OpenFile(const Path& path, uint64_t max_bytes) override;
  std::unique_ptr<AppendFile> OpenForAppending(const Path& path) override;
  LockAttempt TryLock(const Path& path, LockKind kind, MakeFile make) override;

 private:
  friend class FaultyAppendFile;

  /// Counts the call and throws if it is to fail.
  void Begin(const char* what, const Path& path);
  /// Throws if the call is to fail although it has done its work.
  void End(const char* what, const Path& path);

  FileSystem& base_;
  std::function<void(const Path& path)> watcher_;
  int mutating_calls_ = 0;
  std::optional<uint64_t> bytes_left_, readable_bytes_;
  std::optional<int> failing_call_;
  std::optional<int> failing_after_call_;
  std::optional<int> crashing_call_;
  bool can_exchange_ = true;
  std::optional<std::string> renamed_all_the_same_;
  bool pinned_ = false, has_links_ = true, has_locks_ = true, keeps_open_files_ = false;
};

}  // namespace twofour::test
