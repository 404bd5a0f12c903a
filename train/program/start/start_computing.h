#pragma once

#include <optional>

namespace twofour::train {

/// Every command calls this before it computes anything. Sets the number of threads if one is given. Throws Error if
/// the environment variable TWOFOUR_KERNEL or TWOFOUR_MAX_ISA has an unknown value.
void StartComputing(std::optional<int> threads);

}  // namespace twofour::train
