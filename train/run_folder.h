#pragma once

#include <filesystem>
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
  /// Makes a new folder that holds the config, in one step: a folder without config.pbtxt is never seen. Throws Error
  /// when it exists and holds anything; with kOverwrite a run's folder is removed first, and one that is no run's
  /// (has no config.pbtxt) is still an Error.
  static RunFolder Create(FileSystem& files, const std::filesystem::path& path, const std::string& config_text,
                          IfExists if_exists);
  /// Opens the folder of a run to go on with it. Throws Error when there is none or another process works in it.
  static RunFolder Open(FileSystem& files, const std::filesystem::path& path);

  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  const RunFiles& paths() const { return paths_; }

 private:
  explicit RunFolder(std::filesystem::path path);

  RunFiles paths_;
  int lock_ = -1;  // File descriptor that holds the lock.
};

}  // namespace twofour::train
