#include "twofour/core/kernels/simd_targets.h"
//
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>

#include "twofour/core/cpu.h"
#include "twofour/core/error.h"

namespace twofour {
namespace {

struct Named {
  SimdTarget target;
  std::string_view name;
};

// Fastest first, as in Highway: a smaller constant is a better instruction set.
constexpr Named kNames[] = {{HWY_AVX3, "avx512"}, {HWY_AVX2, "avx2"},       {HWY_SSE4, "sse4"},
                            {HWY_NEON, "neon"},   {HWY_EMU128, "portable"}, {HWY_SCALAR, "portable"}};

/// The constant below which TWOFOUR_MAX_ISA forbids all; 0 when it is not set.
SimdTarget BestAllowed() {
  const char* value = std::getenv("TWOFOUR_MAX_ISA");
  if (value == nullptr || *value == '\0') return 0;
  std::vector<std::string_view> known;
  for (const Named& named : kNames) {
    if ((named.target & HWY_TARGETS) == 0) continue;
    if (named.name == value) return named.target;
    known.push_back(named.name);
  }
  throw Error(
      fmt::format("TWOFOUR_MAX_ISA={}: no such instruction set, expected one of {}", value, fmt::join(known, ", ")));
}

}  // namespace

std::string_view NameOfSimdTarget(SimdTarget target) {
  for (const Named& named : kNames) {
    if (named.target == target) return named.name;
  }
  return "?";
}

void ApplyInstructionSetLimit() { AllowedSimdTargets(); }

const std::vector<SimdTarget>& AllowedSimdTargets() {
  static const std::vector<SimdTarget> allowed = [] {
    const SimdTarget best = BestAllowed();
    if (best != 0) hwy::DisableTargets(best - 1);  // All constants below `best`: all that is faster.
    std::vector<SimdTarget> targets = hwy::SupportedAndGeneratedTargets();
    // Asking what is supported makes Highway 1.0.3 choose the best that the processor has, disabled or not: forget
    // that. No kernel runs meanwhile: each waits here for the limit to be applied.
    hwy::GetChosenTarget().DeInit();
    // None is reported where the processor knows only less than the build's own baseline: that one must do.
    if (targets.empty()) targets.push_back(HWY_STATIC_TARGET);
    return targets;
  }();
  return allowed;
}

bool IsAllowed(SimdTarget target) {
  const std::vector<SimdTarget>& allowed = AllowedSimdTargets();
  return std::find(allowed.begin(), allowed.end(), target) != allowed.end();
}

std::string_view InstructionSetName() { return NameOfSimdTarget(AllowedSimdTargets().front()); }

}  // namespace twofour
