#pragma once

#include <string_view>

namespace twofour::sparse {

/// The kernel that the environment variable TWOFOUR_KERNEL names; empty when it is not set. A name that is in no
/// table is an Error listing those that are.
std::string_view ForcedKernelName();

}  // namespace twofour::sparse
