#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"

namespace twofour {

/// A whole file of at most `max_bytes` as text; see FileSystem::ReadFile.
std::string ReadText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes);

/// The same for a text file that twofour wrote. Where the file is of a WellKnownFormat instead, throws Error that names
/// the format.
std::string ReadOwnText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes);

/// Writes text with FileSystem::WriteFile.
void WriteText(FileSystem& files, const std::filesystem::path& path, const std::string& text);

/// Writes text with WriteFileAtomically.
void WriteTextAtomically(FileSystem& files, const std::filesystem::path& path, const std::string& text);

}  // namespace twofour
