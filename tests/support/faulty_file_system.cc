#include "tests/support/faulty_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour::test {
namespace {

[[noreturn]] void ThrowFault(const char* what, const std::filesystem::path& path, int error) {
  throw Error(fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(error)),
              ErrorKind::kRuntimeFailure);
}

uint64_t TotalBytes(FileSystem::Pieces pieces) {
  uint64_t total = 0;
  for (const auto& piece : pieces) total += piece.size();
  return total;
}

void WriteFirstBytes(FileSystem& base, const std::filesystem::path& path, FileSystem::Pieces pieces, uint64_t count) {
  std::vector<std::span<const std::byte>> first;
  for (const auto& piece : pieces) {
    first.push_back(piece.first(std::min<uint64_t>(piece.size(), count)));
    count -= first.back().size();
  }
  base.WriteFile(path, first);
}

/// Whether this process has a file open that lies in `folder` or below.
bool HasOpenFileIn(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string prefix = fs::weakly_canonical(folder, ignored).string() + "/";
  return std::ranges::any_of(fs::directory_iterator("/proc/self/fd", ignored),
                             [&](const fs::directory_entry& descriptor) {
                               return fs::read_symlink(descriptor.path(), ignored).string().starts_with(prefix);
                             });
}

/// A file whose end cannot be read from the disk.
class FaultyFile final : public ReadableFile {
 public:
  FaultyFile(std::unique_ptr<ReadableFile> base, std::filesystem::path path, uint64_t readable_bytes)
      : base_(std::move(base)), path_(std::move(path)), readable_bytes_(readable_bytes) {}
  uint64_t size() const override { return base_->size(); }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    if (!out.empty() && offset + out.size() > readable_bytes_) ThrowFault("read", path_, EIO);
    base_->Read(offset, out);
  }

 private:
  std::unique_ptr<ReadableFile> base_;
  std::filesystem::path path_;
  uint64_t readable_bytes_;
};

}  // namespace

/// Counts and fails as its file system does.
class FaultyAppendFile final : public AppendFile {
 public:
  FaultyAppendFile(FaultyFileSystem& files, std::unique_ptr<AppendFile> base, std::filesystem::path path)
      : files_(files), base_(std::move(base)), path_(std::move(path)) {}
  void Append(std::string_view record) override {
    files_.Begin("write to", path_);
    if (files_.bytes_left_ && record.size() > *files_.bytes_left_) ThrowFault("write to", path_, ENOSPC);
    base_->Append(record);
    if (files_.bytes_left_) *files_.bytes_left_ -= record.size();
    files_.End("write to", path_);
  }

 private:
  FaultyFileSystem& files_;
  std::unique_ptr<AppendFile> base_;
  std::filesystem::path path_;
};

void FaultyFileSystem::Heal() {
  bytes_left_.reset();
  readable_bytes_.reset();
  failing_call_.reset();
  failing_after_call_.reset();
  crashing_call_.reset();
}

void FaultyFileSystem::Begin(const char* what, const Path& path) {
  if (watcher_) watcher_(path);
  ++mutating_calls_;
  if (failing_call_ == mutating_calls_) ThrowFault(what, path, EIO);
  if (crashing_call_ && mutating_calls_ >= *crashing_call_) ThrowFault(what, path, EIO);
}

void FaultyFileSystem::End(const char* what, const Path& path) {
  if (failing_after_call_ == mutating_calls_) ThrowFault(what, path, EIO);
}

void FaultyFileSystem::CreateDirectories(const Path& path) {
  Begin("create directory", path);
  base_.CreateDirectories(path);
  End("create directory", path);
}

void FaultyFileSystem::WriteFile(const Path& path, Pieces pieces) {
  const uint64_t size = TotalBytes(pieces);
  if (crashing_call_ == mutating_calls_ + 1) WriteFirstBytes(base_, path, pieces, size / 2);
  Begin("write", path);
  if (bytes_left_ && size > *bytes_left_) {
    WriteFirstBytes(base_, path, pieces, *bytes_left_);
    base_.RemoveAll(path);
    bytes_left_ = 0;
    ThrowFault("write", path, ENOSPC);
  }
  base_.WriteFile(path, pieces);
  if (bytes_left_) *bytes_left_ -= size;
  End("write", path);
}

void FaultyFileSystem::Rename(const Path& from, const Path& to) {
  Begin("rename", from);
  base_.Rename(from, to);
  End("rename", from);
}

bool FaultyFileSystem::Exchange(const Path& one, const Path& other) {
  if (!can_exchange_ || renamed_all_the_same_) return false;
  Begin("exchange", one);
  const bool exchanged = base_.Exchange(one, other);
  End("exchange", one);
  return exchanged;
}

bool FaultyFileSystem::RenameDirectory(const Path& from, const Path& to) {
  if (renamed_all_the_same_ && from.string().find(*renamed_all_the_same_) == std::string::npos) return false;
  Begin("rename", from);
  const bool renamed = base_.RenameDirectory(from, to);
  End("rename", from);
  return renamed;
}

void FaultyFileSystem::SyncDirectory(const Path& path) {
  Begin("sync directory", path);
  base_.SyncDirectory(path);
  End("sync directory", path);
}

void FaultyFileSystem::RemoveAll(const Path& path) {
  Begin("remove", path);
  if (keeps_open_files_ && HasOpenFileIn(path)) ThrowFault("remove", path, ENOTEMPTY);
  base_.RemoveAll(path);
  End("remove", path);
}

bool FaultyFileSystem::ReplaceSymlink(const Path& link, const Path& target) {
  if (!has_links_) return false;
  Begin("create symbolic link", link);
  const bool linked = base_.ReplaceSymlink(link, target);
  End("create symbolic link", link);
  return linked;
}

std::unique_ptr<ReadableFile> FaultyFileSystem::OpenFile(const Path& path, uint64_t max_bytes) {
  std::unique_ptr<ReadableFile> file = base_.OpenFile(path, max_bytes);
  if (!readable_bytes_) return file;
  return std::make_unique<FaultyFile>(std::move(file), path, *readable_bytes_);
}

std::unique_ptr<AppendFile> FaultyFileSystem::OpenForAppending(const Path& path) {
  Begin("open for appending", path);
  std::unique_ptr<AppendFile> file = base_.OpenForAppending(path);
  End("open for appending", path);
  return std::make_unique<FaultyAppendFile>(*this, std::move(file), path);
}

LockAttempt FaultyFileSystem::TryLock(const Path& path, LockKind kind, MakeFile make) {
  LockAttempt attempt = base_.TryLock(path, kind, make);  // Makes the file, whether or not there are locks.
  return has_locks_ ? std::move(attempt) : LockAttempt{};
}

}  // namespace twofour::test
