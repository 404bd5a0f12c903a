#include <hwy/detect_compiler_arch.h>

#include "twofour/sparse/kernels/linear/linear_kernels.h"

namespace twofour::sparse {

#if HWY_ARCH_X86_64
namespace bf16_native {
LinearKernel VnmAmxKernel();
}
#endif
namespace bf16_emulated {
LinearKernel VnmAmxKernel();
}

std::vector<LinearKernel> VnmAmxKernels() {
  return {
#if HWY_ARCH_X86_64
    bf16_native::VnmAmxKernel(),
#endif
        bf16_emulated::VnmAmxKernel()
  };
}

}  // namespace twofour::sparse
