// The table of kernels for the MLP as one op.
#include <hwy/detect_compiler_arch.h>

#include <vector>

#include "twofour/core/never_destroyed.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"

namespace twofour::sparse {

/// Those that compute in f32: one for each instruction set of Highway, fastest first, for f32 and then for bf16.
std::vector<FusedMlpKernel> WideFusedMlpKernels();
#if HWY_ARCH_X86_64
namespace bf16_native {
FusedMlpKernel Bf16FusedMlpKernel();
}
#endif
namespace bf16_emulated {
FusedMlpKernel Bf16FusedMlpKernel();
}

double FusedMlpKernel::ShareFor(const MaskFormat& format, double density) {
  // The time of a product is about that of what is kept, plus that of 9 % of a dense product.
  constexpr double kFixed = 0.09, kTwoOfFour = 0.5;
  const double kept = static_cast<double>(format.n) / format.m;
  return density * (kept + kFixed) / (kTwoOfFour + kFixed);
}

std::span<const FusedMlpKernel> FusedMlpKernels() {
  static const NeverDestroyed<std::vector<FusedMlpKernel>> table([] {
    std::vector<FusedMlpKernel> kernels = WideFusedMlpKernels();
#if HWY_ARCH_X86_64
    kernels.push_back(bf16_native::Bf16FusedMlpKernel());
#endif
    kernels.push_back(bf16_emulated::Bf16FusedMlpKernel());
    return kernels;
  }());
  return *table;
}

}  // namespace twofour::sparse
