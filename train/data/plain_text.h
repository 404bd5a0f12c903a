#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// A whole file as text, which need not be UTF-8. Throws Error as FileSystem::ReadFile does, and on a file of a
/// WellKnownFormat that is no text, such as gzip, or of token ids: its bytes would be taken for text.
std::string ReadPlainText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes);

}  // namespace twofour::train
