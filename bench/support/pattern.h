#pragma once

#include <string>

#include "twofour/sparse/mask_format.h"

#include "bench/support/program.h"

namespace twofour::bench {

/// The format of masks that "2:4" or "V:2:M", such as "64:2:8", stands for. Throws Error on anything else.
sparse::MaskFormat ParsePattern(const std::string& pattern);

/// Adds the option --pattern.
void AddPattern(CLI::App& app, std::string& pattern);

}  // namespace twofour::bench
