#pragma once

#include <string>
#include <vector>

namespace twofour::train {

/// The files that a path means: all that match its `*`, `?` and `[...]` as in a shell, in bytewise order of their
/// names. A path without these, or of a file that has them in its name, means itself. Throws Error if nothing matches.
std::vector<std::string> FilesOf(const std::string& path);

}  // namespace twofour::train
