#pragma once

#include <functional>
#include <string>

namespace twofour::train {

/// An assignment of a sweep with each "{run:NAME}" replaced by what `folder_of` says of NAME, which may hold braces in
/// pairs. Throws Error, which begins with `where`, when the closing brace is missing.
std::string ReplaceReferences(const std::string& assignment, const std::string& where,
                              const std::function<std::string(const std::string& name)>& folder_of);

}  // namespace twofour::train
