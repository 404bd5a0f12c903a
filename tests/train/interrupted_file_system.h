#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"

namespace twofour::test {

/// The machine's file system, on which another process does something at a certain moment: right after the `look`-th
/// call (1 is the first) of Exists, ListDirectory or TryLock that does not throw.
class InterruptedFileSystem final : public FileSystem {
 public:
  InterruptedFileSystem(int look, std::function<void()> interruption)
      : look_(look), interruption_(std::move(interruption)) {}

  /// Whether there were that many looks.
  bool was_interrupted() const { return looks_ >= look_; }

  void CreateDirectories(const Path& path) override { base_.CreateDirectories(path); }
  void WriteFile(const Path& path, Pieces pieces) override { base_.WriteFile(path, pieces); }
  void Rename(const Path& from, const Path& to) override { base_.Rename(from, to); }
  bool Exchange(const Path& one, const Path& other) override { return base_.Exchange(one, other); }
  bool RenameDirectory(const Path& from, const Path& to) override { return base_.RenameDirectory(from, to); }
  bool CanGiveAway(const Path& directory) override { return base_.CanGiveAway(directory); }
  void SyncDirectory(const Path& path) override { base_.SyncDirectory(path); }
  void RemoveAll(const Path& path) override { base_.RemoveAll(path); }
  bool ReplaceSymlink(const Path& link, const Path& target) override { return base_.ReplaceSymlink(link, target); }
  bool Exists(const Path& path) override { return Looked(base_.Exists(path)); }
  std::vector<std::string> ListDirectory(const Path& path) override { return Looked(base_.ListDirectory(path)); }
  std::unique_ptr<ReadableFile> OpenFile(const Path& path, uint64_t max_bytes) override {
    return base_.OpenFile(path, max_bytes);
  }
  std::unique_ptr<AppendFile> OpenForAppending(const Path& path) override { return base_.OpenForAppending(path); }
  LockAttempt TryLock(const Path& path, LockKind kind, MakeFile make) override {
    return Looked(base_.TryLock(path, kind, make));
  }

 private:
  template <typename T>
  T Looked(T found) {
    if (++looks_ == look_) interruption_();
    return found;
  }

  FileSystem& base_ = FileSystem::Default();
  int look_, looks_ = 0;
  std::function<void()> interruption_;
};

}  // namespace twofour::test
