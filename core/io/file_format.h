#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace twofour {

/// What a file is, if its bytes begin as a well-known format's do: "a gzip file", "a NumPy .npy file", "an HTML page".
/// Empty for all others. For loaders of files without a signature, which would read anything, and for messages of all
/// others. Signatures are so long, or stand at such places, that other data does not begin with one by chance.
std::string_view WellKnownFormat(std::span<const std::byte> bytes);

/// Whether the file is what git-lfs leaves in place of one that was not fetched.
bool IsGitLfsPointer(std::span<const std::byte> bytes);

}  // namespace twofour
