#include "twofour/train/program/cli/kernel_environment.h"

#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"

namespace twofour::train {

void CheckKernelEnvironment() {
  sparse::ForcedKernels();
  ApplyIsaLimit();
}

}  // namespace twofour::train
