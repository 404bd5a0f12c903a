#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/isa.h"

namespace twofour::sparse {

/// Why a kernel compiled for `isa` cannot run here; empty when it can.
std::string WhyNotHere(Isa isa);

/// TWOFOUR_KERNEL is a comma-separated list of names from five tables: LinearKernels(), MaskSearchKernels(),
/// FusedMlpKernels(), Int8Kernels() and LowBitKernels(). A name forces the choice from its own table only. A name that
/// is in no table is an Error, which lists the names that are.

/// True when TWOFOUR_KERNEL holds this kernel's name.
bool IsForced(std::string_view kernel_name);
/// The list as it was given; empty when it is not set.
std::string_view ForcedKernels();
/// The names of the list, in the order given.
std::vector<std::string> ForcedKernelNames();

}  // namespace twofour::sparse
