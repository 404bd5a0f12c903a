#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/isa.h"

namespace twofour::sparse {

/// Why a kernel compiled for `isa` cannot run here; empty when it can.
std::string WhyNotHere(Isa isa);

/// TWOFOUR_KERNEL is a comma-separated list of names from three tables: LinearKernels(), MaskSearchKernels() and
/// MlpKernels(). A name decides its own table's question and no other. A name that is in no table is an Error listing
/// those that are.

/// True when TWOFOUR_KERNEL holds this kernel's name.
bool IsForced(std::string_view kernel_name);
/// The list as it was given; empty when it is not set.
std::string_view ForcedKernels();
/// Its names, in the order given.
std::vector<std::string> ForcedKernelNames();

}  // namespace twofour::sparse
