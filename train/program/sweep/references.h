#pragma once

#include <functional>
#include <string>

namespace twofour::train {

/// Replaces each "{run:NAME}" in an assignment of a sweep by what `folder_of` returns for NAME. NAME may hold braces in
/// pairs. Throws Error, which begins with `where`, if the closing brace is missing.
std::string ReplaceReferences(const std::string& assignment, const std::string& where,
                              const std::function<std::string(const std::string& name)>& folder_of);

}  // namespace twofour::train
