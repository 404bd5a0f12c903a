#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <span>

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
constexpr Row kRows[] = {{Isa::kAvx512Bf16, "avx512bf16"},
                         {Isa::kAvx512, "avx512"},
                         {Isa::kAvx2, "avx2"},
                         {Isa::kSse4, "sse4"},
                         {Isa::kNeon, "neon"},
                         {Isa::kPortable, "portable"}};

/// Whether this build has kernels for an instruction set.
bool IsBuilt(Isa isa) {
  if (isa == Isa::kAvx512Bf16) return HWY_ARCH_X86_64;
  return (SimdTargetOf(isa) & HWY_TARGETS) != 0;
}

/// Whether the processor has an instruction set that Highway does not know.
bool ProcessorHas([[maybe_unused]] Isa isa) {
#if HWY_ARCH_X86_64
  if (isa == Isa::kAvx512Bf16) {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
  }
#endif
  return false;
}

/// The rows that TWOFOUR_MAX_ISA leaves.
std::span<const Row> AllowedRows() {
  const std::span<const Row> rows = kRows;
  const char* value = std::getenv("TWOFOUR_MAX_ISA");
  if (value == nullptr || *value == '\0') return rows;
  std::vector<std::string_view> known;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!IsBuilt(rows[i].isa)) continue;
    if (rows[i].name == value) return rows.subspan(i);
    known.push_back(rows[i].name);
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
    const std::span<const Row> rows = AllowedRows();
    const int64_t best = SimdTargetOf(rows.front().isa);  // 0 for a set that Highway does not know.
    if (best != 0 && rows.size() < std::size(kRows)) {
      hwy::DisableTargets(best - 1);  // All constants below `best`, which are all faster ones.
    }
    std::vector<int64_t> supported = hwy::SupportedAndGeneratedTargets();
    // Asking what is supported makes Highway 1.0.3 choose the best target that the processor has, even a disabled one.
    // Forget that choice. No kernel runs meanwhile, because each waits here for the limit to be applied.
    hwy::GetChosenTarget().DeInit();
    // Nothing is reported where the processor has less than the build's own baseline. Then the baseline must do.
    if (supported.empty()) supported.push_back(HWY_STATIC_TARGET);
    std::vector<Isa> isas;
    for (const Row& row : rows) {
      const bool found = std::find(supported.begin(), supported.end(), SimdTargetOf(row.isa)) != supported.end();
      if (found || ProcessorHas(row.isa)) isas.push_back(row.isa);
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
