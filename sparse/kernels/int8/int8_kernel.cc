#include "twofour/sparse/kernels/int8/int8_kernel.h"

#include <fmt/format.h>
#include <hwy/detect_compiler_arch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/never_destroyed.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"

namespace twofour::sparse {

#if HWY_ARCH_X86_64
namespace bf16_native {
Int8Kernel Int8AmxKernel();
}
namespace int8_avx512vnni {
std::vector<Int8Kernel> Int8KernelsOfSet();
}
namespace int8_avxvnni {
std::vector<Int8Kernel> Int8KernelsOfSet();
}
namespace int8_avx2 {
std::vector<Int8Kernel> Int8KernelsOfSet();
}
#endif
namespace bf16_emulated {
Int8Kernel Int8AmxKernel();
}
namespace int8_emulated {
std::vector<Int8Kernel> Int8KernelsOfSet();
}

Int8Range RangeOf(float min, float max) {
  constexpr float kLeast = 0x1p-120f;  // Its inverse is finite.
  min = std::min(min, 0.0f), max = std::max(max, 0.0f);
  const float scale = max / 255 - min / 255;
  if (!std::isfinite(scale)) return {std::numeric_limits<float>::quiet_NaN(), 0};
  if (scale < kLeast) return {kLeast, 0};
  return {scale, static_cast<int32_t>(std::clamp(std::nearbyint(-min / scale), 0.0f, 255.0f))};
}

std::span<const Int8Kernel> Int8Kernels() {
  static const NeverDestroyed<std::vector<Int8Kernel>> table([] {
    std::vector<Int8Kernel> kernels;
#if HWY_ARCH_X86_64
    kernels.push_back(bf16_native::Int8AmxKernel());
#endif
    for (const size_t row : {0, 1}) {  // Of each set first the sparse kernel, then the dense one.
      for (const auto& set : {
#if HWY_ARCH_X86_64
             int8_avx512vnni::Int8KernelsOfSet, int8_avxvnni::Int8KernelsOfSet, int8_avx2::Int8KernelsOfSet,
#endif
                 int8_emulated::Int8KernelsOfSet
           }) {
        kernels.push_back(set()[row]);
      }
    }
    // Last, because where nothing else runs, the first emulation is taken.
    kernels.push_back(bf16_emulated::Int8AmxKernel());
    return kernels;
  }());
  return *table;
}

Verdict Check(const Int8Kernel& kernel, const LinearProblem& problem) {
  return IsAllowed(kernel.isa) ? kernel.check(problem) : Verdict{Rejection::kIsa};
}

const Int8Kernel& ChooseInt8Kernel(const LinearProblem& problem) {
  const Int8Kernel* emulated = nullptr;
  for (const bool forced : {true, false}) {
    for (const Int8Kernel& kernel : Int8Kernels()) {
      if (forced && !IsForced(kernel.name)) continue;
      const Verdict verdict = Check(kernel, problem);
      if (verdict.is_best() || (forced && verdict.can())) return kernel;
      if (forced) {
        throw Error(fmt::format("TWOFOUR_KERNEL={}: cannot take a weight [{}, {}] with this mask here", kernel.name,
                                problem.out_features, problem.in_features));
      }
      if (verdict.rejection == Rejection::kEmulated && emulated == nullptr) emulated = &kernel;
    }
  }
  // Where the processor has none of the sets, the emulation is all that there is.
  if (emulated != nullptr) return *emulated;
  throw Error(fmt::format("no kernel multiplies with a weight of 8 bits [{}, {}]: expected at most {} columns",
                          problem.out_features, problem.in_features, kMostInt8Columns));
}

}  // namespace twofour::sparse
