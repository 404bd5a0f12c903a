#include "twofour/core/io/replace_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"

namespace twofour {
namespace {

using Path = FileSystem::Path;

bool IsThere(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

/// Moves entries back to where they were. Throws Error when that fails; it names the first failure, too.
void MoveBack(FileSystem& files, const Path& from, const Path& to, const std::vector<std::string>& names,
              const Error& first) {
  try {
    files.CreateDirectories(from);
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      // A rename that reports a failure may have happened all the same, so look at what is there.
      if (IsThere(to / *name) && !IsThere(from / *name)) MoveEntry(files, to / *name, from / *name);
    }
  } catch (const Error& second) {
    throw Error(fmt::format("{}; part of {} lies in {} now, because: {}", first.what(), from.string(), to.string(),
                            second.what()),
                first.kind());
  }
}

Path AsideOf(const Path& replacement) { return Path(replacement) += "-old"; }

/// Gives a directory its old name again. Throws Error when that fails; it names the first failure, too.
void PutBack(FileSystem& files, const Path& aside, const Path& path, const Error& first) {
  // A rename that reports a failure may have happened all the same, so look at what is there.
  if (files.Exists(path) || !files.Exists(aside)) return;
  try {
    MoveDirectory(files, aside, path);
  } catch (const Error& second) {
    throw Error(
        fmt::format("{}; what was there lies in {} now, because: {}", first.what(), aside.string(), second.what()),
        first.kind());
  }
}

void RemoveIfEmpty(FileSystem& files, const Path& directory) noexcept {
  try {
    if (files.ListDirectory(directory).empty()) files.RemoveAll(directory);
  } catch (...) {  // Another failure is being reported.
  }
}

/// Moves entries of one directory into another, in this order, all of them or none.
void MoveEntries(FileSystem& files, const Path& from, const Path& to, const std::vector<std::string>& names) {
  try {
    for (const std::string& name : names) MoveEntry(files, from / name, to / name);
  } catch (const Error& first) {
    MoveBack(files, from, to, names, first);
    throw;
  }
}

}  // namespace

void MoveEntry(FileSystem& files, const Path& from, const Path& to) {
  if (std::filesystem::is_directory(std::filesystem::symlink_status(from))) {
    MoveDirectory(files, from, to);
  } else {
    files.Rename(from, to);
  }
}

void MoveDirectory(FileSystem& files, const Path& from, const Path& to) {
  if (files.RenameDirectory(from, to)) return;
  const std::vector<std::string> names = files.ListDirectory(from);
  try {
    files.CreateDirectories(to);
    for (const std::string& name : names) MoveEntry(files, from / name, to / name);
    files.SyncDirectory(to);
    files.RemoveAll(from);
  } catch (const Error& first) {
    MoveBack(files, from, to, names, first);
    RemoveIfEmpty(files, to);
    throw;
  }
}

std::optional<Path> TryReplaceDirectory(FileSystem& files, const Path& replacement, const Path& path) {
  if (files.Exchange(replacement, path)) return replacement;
  const Path aside = AsideOf(replacement);
  try {
    if (!files.RenameDirectory(path, aside)) return std::nullopt;
    MoveDirectory(files, replacement, path);
  } catch (const Error& first) {
    PutBack(files, aside, path, first);
    throw;
  }
  return aside;
}

Path ReplaceDirectory(FileSystem& files, const Path& replacement, const Path& path) {
  if (const auto old = TryReplaceDirectory(files, replacement, path)) return *old;
  const Path aside = AsideOf(replacement);
  try {
    MoveDirectory(files, path, aside);
    MoveDirectory(files, replacement, path);
  } catch (const Error& first) {
    PutBack(files, aside, path, first);
    throw;
  }
  return aside;
}

Path ReplaceContents(FileSystem& files, const Path& replacement, const Path& path, const std::string& mark,
                     const std::function<bool(const std::string& name)>& stays) {
  // ".NAME.tmp-" of ".NAME.tmp-PID". Folders that other processes have begun here are no part of the old contents.
  const std::string own = replacement.filename().string();
  const std::string prefix = own.substr(0, own.rfind('-') + 1);
  std::vector<std::string> old_names = files.ListDirectory(path);
  std::erase_if(old_names, [&prefix](const std::string& name) { return name.starts_with(prefix); });
  std::vector<std::string> names = files.ListDirectory(replacement);
  if (stays) {
    std::erase_if(old_names, stays);
    std::erase_if(names, stays);
  }
  const auto is_mark = [&mark](const std::string& name) { return name == mark; };
  std::stable_partition(old_names.begin(), old_names.end(), is_mark);
  std::stable_partition(names.begin(), names.end(), std::not_fn(is_mark));

  const Path aside = old_names.empty() ? Path() : AsideOf(replacement);
  try {
    if (!aside.empty()) files.CreateDirectories(aside);
    MoveEntries(files, path, aside, old_names);
    try {
      MoveEntries(files, replacement, path, names);
    } catch (const Error& first) {
      MoveBack(files, path, aside, old_names, first);
      throw;
    }
  } catch (...) {
    if (!aside.empty()) RemoveIfEmpty(files, aside);
    throw;
  }
  return aside;
}

}  // namespace twofour
