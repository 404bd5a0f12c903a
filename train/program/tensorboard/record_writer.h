#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Appends records to a file in TensorFlow's TFRecord format. Each is
///   uint64 length, uint32 masked CRC-32C of these 8 bytes, `length` bytes, uint32 masked CRC-32C of those
/// with little-endian numbers, where masked(c) = rotate_right(c, 15) + 0xa282ead8
/// (tensorflow/core/lib/io/record_writer.h).
class RecordWriter {
 public:
  /// Opens for appending. Throws Error (a runtime failure) if it cannot.
  RecordWriter(FileSystem& files, const std::filesystem::path& path);

  /// Hands a record to the operating system at once, so that a killed process leaves all records but perhaps a part of
  /// the last one. Throws Error (a runtime failure) if it cannot be written.
  void Write(std::string_view record);

 private:
  std::unique_ptr<AppendFile> file_;
};

}  // namespace twofour::train
