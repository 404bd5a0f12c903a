#pragma once

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Where rows of a result go: a stream, or a file that appears whole or not at all.
class ResultOutput {
 public:
  /// `path`: "-" for `out`. `needed`: files that somebody reads. Throws Error if the path is something other than a
  /// regular file or a free name, if it is one of the needed files, and if it is a file that a run has written.
  ResultOutput(FileSystem& files, const std::string& path, const std::vector<std::string>& needed, std::ostream& out);
  /// Removes what was written, unless Finish() was called.
  ~ResultOutput();
  ResultOutput(const ResultOutput&) = delete;
  ResultOutput& operator=(const ResultOutput&) = delete;

  /// Throws Error (a runtime failure) if it cannot be written.
  void Write(std::string_view rows);
  /// Puts the file in its place, where it replaces an earlier one and keeps who may read it.
  void Finish();

 private:
  FileSystem& files_;
  std::ostream& out_;
  std::filesystem::path path_, temporary_;  // Empty for a stream.
  std::unique_ptr<AppendFile> file_;
};

}  // namespace twofour::train
