#pragma once

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Where rows of a result go: a stream, or a file that appears whole or not at all.
class ResultOutput {
 public:
  /// `path`: "-" for `out`. Throws Error if the path is something other than a regular file or a free name.
  ResultOutput(FileSystem& files, const std::string& path, std::ostream& out);
  /// Removes what was written, unless Finish() was called.
  ~ResultOutput();
  ResultOutput(const ResultOutput&) = delete;
  ResultOutput& operator=(const ResultOutput&) = delete;

  /// Throws Error (a runtime failure) if it cannot be written.
  void Write(std::string_view rows);
  /// Puts the file in its place, where it replaces an earlier one.
  void Finish();

 private:
  FileSystem& files_;
  std::ostream& out_;
  std::filesystem::path path_, temporary_;  // Empty for a stream.
  std::unique_ptr<AppendFile> file_;
};

}  // namespace twofour::train
