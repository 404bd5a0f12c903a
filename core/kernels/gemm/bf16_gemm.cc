#include "twofour/core/kernels/gemm/bf16_gemm.h"

#include <fmt/format.h>
#include <hwy/detect_compiler_arch.h>

#include "twofour/core/kernels/gemm/gemm_block.h"
#include "twofour/core/kernels/gemm/library_bf16_gemm.h"

namespace twofour::kernels {

#if HWY_ARCH_X86_64
namespace bf16_native {
Bf16GemmKernel Bf16Gemm();
}
#endif
namespace bf16_emulated {
Bf16GemmKernel Bf16Gemm();
}

std::span<const Bf16GemmKernel> Bf16GemmKernels() {
  static const Bf16GemmKernel kernels[] = {
#if HWY_ARCH_X86_64
    bf16_native::Bf16Gemm(),
#endif
    bf16_emulated::Bf16Gemm()
  };
  return kernels;
}

const Bf16GemmKernel* FastBf16Gemm() {
  if (IsAllowed(Isa::kAmxBf16)) {
    const std::span<const Bf16GemmKernel> of_library = LibraryBf16GemmKernels();
    return of_library.empty() ? nullptr : &of_library[0];
  }
  if (!Bf16PairsPay()) return nullptr;
  for (const Bf16GemmKernel& kernel : Bf16GemmKernels()) {
    if (!kernel.emulated && IsAllowed(kernel.isa)) return &kernel;
  }
  return nullptr;
}

std::string Bf16GemmName() {
  const Bf16GemmKernel* const kernel = FastBf16Gemm();
  if (kernel == nullptr) return GemmName();
  if (IsAllowed(Isa::kAmxBf16)) return fmt::format("{} ({})", GemmLibraryName(), NameOf(Isa::kAmxBf16));
  return fmt::format("twofour ({})", NameOf(kernel->isa));
}

}  // namespace twofour::kernels
