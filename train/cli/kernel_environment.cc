#include "twofour/train/cli/kernel_environment.h"

#include "twofour/core/cpu.h"
#include "twofour/sparse/kernels/forced_kernel.h"

namespace twofour::train {

void CheckKernelEnvironment() {
  sparse::ForcedKernels();
  ApplyInstructionSetLimit();
}

}  // namespace twofour::train
