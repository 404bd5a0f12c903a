#pragma once

#include <optional>

namespace twofour::train {

/// To be called by every command before it computes anything. Sets the number of threads, where one is given, and
/// throws Error if TWOFOUR_KERNEL or TWOFOUR_MAX_ISA is misspelt.
void StartComputing(std::optional<int> threads);

}  // namespace twofour::train
