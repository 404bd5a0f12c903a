#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"

#include <fmt/format.h>
#include <hwy/detect_compiler_arch.h>

#include <algorithm>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/never_destroyed.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"

namespace twofour::sparse {

#if HWY_ARCH_X86_64
namespace bf16_native {
LowBitKernel LowBitPairs();
}
#endif
namespace bf16_emulated {
LowBitKernel LowBitPairs();
}
std::vector<LowBitKernel> LowBitFloatKernels();

std::span<const LowBitKernel> LowBitKernels() {
  static const NeverDestroyed<std::vector<LowBitKernel>> table([] {
    std::vector<LowBitKernel> kernels = LowBitFloatKernels();
#if HWY_ARCH_X86_64
    kernels.insert(kernels.begin(), bf16_native::LowBitPairs());
#endif
    kernels.push_back(bf16_emulated::LowBitPairs());
    return kernels;
  }());
  return *table;
}

bool IsAllowed(const LowBitKernel& kernel) {
  return IsAllowed(kernel.isa) && (kernel.processor_can == nullptr || kernel.processor_can());
}

const LowBitKernel& ChooseLowBitKernel() {
  const std::span<const LowBitKernel> table = LowBitKernels();
  const auto forced = std::ranges::find_if(table, [](const LowBitKernel& kernel) { return IsForced(kernel.name); });
  if (forced != table.end()) {
    if (IsAllowed(*forced)) return *forced;
    throw Error(fmt::format("TWOFOUR_KERNEL={}: the processor, or TWOFOUR_MAX_ISA, has not what it needs ({}{})",
                            forced->name, NameOf(forced->isa), forced->processor_can == nullptr ? "" : " and more"));
  }
  const auto chosen =
      std::ranges::find_if(table, [](const LowBitKernel& kernel) { return IsAllowed(kernel) && !kernel.emulated; });
  // One of Highway's sets is always allowed.
  return chosen == table.end() ? table.back() : *chosen;
}

int64_t LowBitGrain(const LowBitView& weight) {
  constexpr int64_t kBytes = 32 * 1024;
  return CeilDiv(kBytes, weight.quad_bytes() + 1);
}

}  // namespace twofour::sparse
