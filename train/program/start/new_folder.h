#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace twofour::train {

/// Throws Error if `folder`, where a new run is to be, equals `source`, the folder of the run that it branches off, or
/// if one of them lies in the other. The run in `source` must stay as it is, even with --overwrite.
void RequireApart(const std::filesystem::path& folder, const std::filesystem::path& source);

/// Throws Error if one of the files that a new run is made of or needs lies in `folder`, whose place the run takes.
/// Empty paths name no file.
void RequireOutside(const std::filesystem::path& folder, const std::vector<std::string>& needed);

}  // namespace twofour::train
