#include "twofour/train/program/start/start_computing.h"

#include "twofour/core/isa.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"

namespace twofour::train {

void StartComputing(std::optional<int> threads) {
  if (threads) SetNumThreads(*threads);
  sparse::ForcedKernels();
  ApplyIsaLimit();
}

}  // namespace twofour::train
