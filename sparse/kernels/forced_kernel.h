#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/cpu.h"

namespace twofour::sparse {

/// The target of a kernel that runs on any processor.
inline constexpr SimdTarget kAnyTarget = 0;

/// "any", or the instruction set's name.
std::string_view InstructionSetOf(SimdTarget target);
/// Why a kernel compiled for `target` cannot run here; empty when it can.
std::string WhyNotHere(SimdTarget target);

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
