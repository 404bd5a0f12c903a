#include <hwy/detect_compiler_arch.h>

#include "twofour/sparse/kernels/linear/linear_kernels.h"

namespace twofour::sparse {

#if HWY_ARCH_X86_64
namespace bf16_native {
LinearKernel Bf16PairBucketKernel();
}
#endif
namespace bf16_emulated {
LinearKernel Bf16PairBucketKernel();
}

std::vector<LinearKernel> Bf16PairBucketKernels() {
  return {
#if HWY_ARCH_X86_64
    bf16_native::Bf16PairBucketKernel(),
#endif
        bf16_emulated::Bf16PairBucketKernel()
  };
}

}  // namespace twofour::sparse
