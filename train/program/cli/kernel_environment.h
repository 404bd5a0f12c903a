#pragma once

namespace twofour::train {

/// Throws Error if TWOFOUR_KERNEL or TWOFOUR_MAX_ISA is misspelt, before anything is computed.
void CheckKernelEnvironment();

}  // namespace twofour::train
