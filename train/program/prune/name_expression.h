#pragma once

#include <string>
#include <vector>

namespace twofour::train {

/// A regular expression that matches what `exclude` does (nothing, if it is empty) and these names.
std::string ExcludeAlso(const std::string& exclude, const std::vector<std::string>& names);

}  // namespace twofour::train
