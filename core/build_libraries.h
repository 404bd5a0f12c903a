#pragma once

#include <string>
#include <vector>

namespace twofour {

/// The libraries that dense products and threads come from, with the versions that run: "oneDNN 2.6.3". For reports of
/// bugs and for `trainer --version`.
std::vector<std::string> BuildLibraries();

}  // namespace twofour
