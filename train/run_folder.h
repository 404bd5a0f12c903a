#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// The folder that one run writes: the files of RunFiles. Held by one process at a time.
class RunFolder {
 public:
  enum class IfExists { kFail, kOverwrite };

  /// Throws the Error that Create would throw because of what is at `path`.
  static void CheckFree(FileSystem& files, const std::filesystem::path& path, IfExists if_exists);
  /// Writes what a new folder holds beside its config, into the folder that will be renamed to its place.
  using Fill = std::function<void(const RunFiles& paths)>;

  /// Makes a new folder that holds the config and what `fill` writes, in one step: a folder without them is never seen.
  /// Throws Error when it exists and holds anything; with kOverwrite the new folder takes the place of a run's, and one
  /// that is no run's (has no config.pbtxt) is still an Error. Whatever fails, the old run or the new one has the name.
  static RunFolder Create(FileSystem& files, const std::filesystem::path& path, const std::string& config_text,
                          IfExists if_exists, const Fill& fill = {});
  /// Opens the folder of a run to go on with it. Throws Error when there is none or another process works in it.
  static RunFolder Open(FileSystem& files, const std::filesystem::path& path);

  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  const RunFiles& paths() const { return paths_; }
  /// What Create could not remove of the run that was overwritten, and why; empty where all is gone.
  const std::string& left_over() const { return left_over_; }

 private:
  explicit RunFolder(std::filesystem::path path);

  RunFiles paths_;
  std::string left_over_;
  int lock_ = -1;  // File descriptor that holds the lock.
};

}  // namespace twofour::train
