#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>

#include "twofour/core/error.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/simd/simd_isa.h"

namespace twofour {
namespace {

struct Row {
  Isa isa;
  std::string_view name;
};

// Fastest first.
constexpr Row kRows[] = {{Isa::kAvx512, "avx512"},
                         {Isa::kAvx2, "avx2"},
                         {Isa::kSse4, "sse4"},
                         {Isa::kNeon, "neon"},
                         {Isa::kPortable, "portable"}};

/// Highway's constant for TWOFOUR_MAX_ISA, which forbids all constants below it; 0 when it is not set.
int64_t BestSimdTarget() {
  const char* value = std::getenv("TWOFOUR_MAX_ISA");
  if (value == nullptr || *value == '\0') return 0;
  std::vector<std::string_view> known;
  for (const Row& row : kRows) {
    const int64_t target = SimdTargetOf(row.isa);
    if ((target & HWY_TARGETS) == 0) continue;
    if (row.name == value) return target;
    known.push_back(row.name);
  }
  throw Error(
      fmt::format("TWOFOUR_MAX_ISA={}: no such instruction set, expected one of {}", value, fmt::join(known, ", ")));
}

}  // namespace

std::string_view NameOf(Isa isa) {
  for (const Row& row : kRows) {
    if (row.isa == isa) return row.name;
  }
  return "any";
}

void ApplyIsaLimit() { AllowedIsas(); }

const std::vector<Isa>& AllowedIsas() {
  static const std::vector<Isa> allowed = [] {
    const int64_t best = BestSimdTarget();
    if (best != 0) hwy::DisableTargets(best - 1);  // All constants below `best`, which are all faster ones.
    std::vector<int64_t> supported = hwy::SupportedAndGeneratedTargets();
    // Asking what is supported makes Highway 1.0.3 choose the best target that the processor has, even a disabled one.
    // Forget that choice. No kernel runs meanwhile, because each waits here for the limit to be applied.
    hwy::GetChosenTarget().DeInit();
    // Nothing is reported where the processor has less than the build's own baseline. Then the baseline must do.
    if (supported.empty()) supported.push_back(HWY_STATIC_TARGET);
    std::vector<Isa> isas;
    for (const Row& row : kRows) {
      const bool found = std::find(supported.begin(), supported.end(), SimdTargetOf(row.isa)) != supported.end();
      if (found) isas.push_back(row.isa);
    }
    return isas;
  }();
  return allowed;
}

bool IsAllowed(Isa isa) {
  const std::vector<Isa>& allowed = AllowedIsas();
  return isa == Isa::kAny || std::find(allowed.begin(), allowed.end(), isa) != allowed.end();
}

Isa BestIsa() { return AllowedIsas().front(); }

}  // namespace twofour
