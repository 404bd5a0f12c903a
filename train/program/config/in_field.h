#pragma once

#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/program/config/prefix_lines.h"

namespace twofour::train {

/// Calls `use`, which uses what a config's field names, such as a file. An Error that it throws gets the field's name
/// in front of each line, as the messages of ValidateConfig have it.
template <typename Use>
auto InField(std::string_view field, const Use& use) {
  try {
    return use();
  } catch (const Error& error) {
    throw Error(PrefixLines("config: " + std::string(field), error.what()), error.kind());
  }
}

}  // namespace twofour::train
