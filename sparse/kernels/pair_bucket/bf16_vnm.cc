#include <hwy/detect_compiler_arch.h>

#include "twofour/sparse/kernels/linear/linear_kernels.h"

namespace twofour::sparse {

#if HWY_ARCH_X86_64
namespace bf16_native {
LinearKernel Bf16VnmKernel();
}
#endif
namespace bf16_emulated {
LinearKernel Bf16VnmKernel();
}

std::vector<LinearKernel> Bf16VnmKernels() {
  return {
#if HWY_ARCH_X86_64
    bf16_native::Bf16VnmKernel(),
#endif
        bf16_emulated::Bf16VnmKernel()
  };
}

}  // namespace twofour::sparse
