#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"

namespace twofour::train {

/// The losses that were measured so far, line by line in sensitivity.jsonl, so that another start goes on with the
/// rest. The first line says what is measured, the second one has the loss of the dense model:
///   {"format":"twofour sensitivity 1","run":..,"levels":[..],..}
///   {"dense_loss":..}
///   {"linear":"..","level":0.5,"sparsity":0.5,"loss":..}
/// A loss that is not finite is null. While this lives, it holds a lock on the folder.
class SensitivityLog {
 public:
  static constexpr const char* kFile = "sensitivity.jsonl";

  struct Entry {
    double sparsity = 0, loss = 0;
  };

  /// Throws Error if the folder is there and holds something, but no such file.
  static void RequireFolder(FileSystem& files, const std::filesystem::path& folder);

  /// Opens the file in the folder, and makes both where they are not there. A last line that was cut off is dropped.
  /// Throws Error if another process has the folder's lock, if the file's first line is another one than that of
  /// `header`, naming the first difference, and if the file is damaged.
  SensitivityLog(FileSystem& files, const std::filesystem::path& folder, const JsonObject& header);

  /// False if the file system has no locks, so that nobody is kept out.
  bool locked() const { return lock_ != nullptr; }
  std::optional<double> dense_loss() const { return dense_loss_; }
  /// Nothing if it is still to be measured.
  std::optional<Entry> Find(const std::string& linear, double level) const;

  // These throw Error (a runtime failure) if the file cannot be written.
  void AddDenseLoss(double loss);
  void Add(const std::string& linear, double level, const Entry& entry);

 private:
  void Read(const std::string& text, const std::string& header);
  void ReadLine(const std::string& line, const std::string& where);

  std::filesystem::path path_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<AppendFile> file_;
  std::optional<double> dense_loss_;
  std::map<std::pair<std::string, double>, Entry> entries_;
};

}  // namespace twofour::train
