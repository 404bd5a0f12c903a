#pragma once

namespace twofour::train {

/// Throws the Error of a misspelt TWOFOUR_KERNEL or TWOFOUR_MAX_ISA before anything is computed.
void CheckKernelEnvironment();

}  // namespace twofour::train
