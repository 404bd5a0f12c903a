#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace twofour {

/// The well-known format of a file whose bytes begin like that format: "a gzip file", "a NumPy .npy file", "an HTML
/// page". Empty for all other files. It serves loaders of files without a signature, which would read anything, and the
/// messages of all other loaders. Signatures are so long, or stand at such places, that other data does not begin with
/// one by chance.
std::string_view WellKnownFormat(std::span<const std::byte> bytes);

/// Whether the file is a git-lfs pointer, which stands in place of a file that was not fetched.
bool IsGitLfsPointer(std::span<const std::byte> bytes);

}  // namespace twofour
