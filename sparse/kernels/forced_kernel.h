#pragma once

#include <string>
#include <string_view>

#include "twofour/core/cpu.h"

namespace twofour::sparse {

/// The target of a kernel that runs on any processor.
inline constexpr SimdTarget kAnyTarget = 0;

/// "any", or the instruction set's name.
std::string_view InstructionSetOf(SimdTarget target);
/// Why a kernel compiled for `target` cannot run here; empty when it can.
std::string WhyNotHere(SimdTarget target);

/// True when TWOFOUR_KERNEL, a comma-separated list of names, holds this kernel's. A name that is in no table is an
/// Error listing those that are.
bool IsForced(std::string_view kernel_name);
/// The list as it was given; empty when it is not set. Checks it likewise.
std::string_view ForcedKernels();

}  // namespace twofour::sparse
