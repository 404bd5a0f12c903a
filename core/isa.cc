#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "twofour/core/isa.h"
#include "twofour/core/isa_choice.h"
#include "twofour/core/kernels/gemm/bf16_block.h"
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/core/never_destroyed.h"
#include "twofour/core/x86_features.h"

namespace twofour {
namespace {

using internal::IsaChoice;
using internal::Machine;

/// Whether this build has kernels for an instruction set.
bool IsBuilt(Isa isa) {
  if (isa == Isa::kAmxBf16) return kernels::BuiltWithBf16Blocks();
  if (isa == Isa::kAvx512Bf16 || isa == Isa::kAvx512Vnni || isa == Isa::kAvxVnni) return HWY_ARCH_X86_64;
  return (SimdTargetOf(isa) & HWY_TARGETS) != 0;
}

/// Whether the processor has an instruction set that Highway does not know. Kernels for such a set also use what
/// Highway's AVX-512 stands for (BMI2 and F16C, for example), so the processor must have that, whether or not this
/// build has kernels for it.
bool ProcessorHas(Isa isa) {
  const bool avx512 = (hwy::SupportedTargets() & HWY_AVX3) != 0;
  switch (isa) {
    case Isa::kAmxBf16:
      return avx512 && HasAvx512Bf16() && HasAmxBf16();
    case Isa::kAvx512Bf16:
      return avx512 && HasAvx512Bf16();
    case Isa::kAvx512Vnni:
      return avx512 && HasAvx512Vnni();
    case Isa::kAvxVnni:
      return (hwy::SupportedTargets() & HWY_AVX2) != 0 && HasAvxVnni();
    default:
      return false;
  }
}

Machine ThisMachine() {
  std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  // Nothing is reported where the processor has less than the build's own baseline. Then the baseline must do.
  if (targets.empty()) targets.push_back(HWY_STATIC_TARGET);
  Machine machine;
  machine.intel = IsIntel();
  machine.grants_amx = [] { return AskForAmx() && kernels::Bf16BlocksUseAmx(); };
  for (const internal::IsaRow& row : internal::IsaRows()) {
    if (!IsBuilt(row.isa)) continue;
    machine.built.push_back(row.isa);
    const bool found = std::find(targets.begin(), targets.end(), SimdTargetOf(row.isa)) != targets.end();
    if (found || ProcessorHas(row.isa)) machine.supported.push_back(row.isa);
  }
  return machine;
}

/// Tells Highway to take no better set than the best of those.
void LimitHighway(const std::vector<Isa>& allowed) {
  const auto best = std::find_if(allowed.begin(), allowed.end(), [](Isa isa) { return SimdTargetOf(isa) != 0; });
  if (best != allowed.end()) hwy::DisableTargets(SimdTargetOf(*best) - 1);  // All smaller constants mean better sets.
}

IsaChoice ChoiceForThisMachine() {
  const char* const value = std::getenv("TWOFOUR_MAX_ISA");
  const std::string_view limit = value == nullptr ? "" : value;
  IsaChoice choice = internal::ChooseIsas(ThisMachine(), limit);
  if (!limit.empty()) LimitHighway(choice.allowed);
  // Asking what is supported makes Highway 1.0.3 choose the best target that the processor has, even a disabled one.
  // Forget that choice. No kernel runs meanwhile, because each waits here for the limit to be applied.
  hwy::GetChosenTarget().DeInit();
  return choice;
}

std::atomic<const IsaChoice*> choice_of_test{nullptr};

const IsaChoice& Choice() {
  static const NeverDestroyed<IsaChoice> choice(ChoiceForThisMachine());
  const IsaChoice* const other = choice_of_test.load(std::memory_order_relaxed);
  return other != nullptr ? *other : *choice;
}

}  // namespace

void ApplyIsaLimit() { Choice(); }

const std::vector<Isa>& AllowedIsas() { return Choice().allowed; }

bool IsAllowed(Isa isa) {
  const std::vector<Isa>& allowed = AllowedIsas();
  return isa == Isa::kAny || std::find(allowed.begin(), allowed.end(), isa) != allowed.end();
}

bool IsForbidden(Isa isa) {
  const std::vector<Isa>& forbidden = Choice().forbidden;
  return std::find(forbidden.begin(), forbidden.end(), isa) != forbidden.end();
}

Isa BestIsa() { return AllowedIsas().front(); }

bool Bf16PairsPay() { return Choice().bf16_pairs_pay; }

namespace internal {

ScopedIsaChoice::ScopedIsaChoice(IsaChoice choice)
    : choice_(std::move(choice)), previous_(choice_of_test.exchange(&choice_)) {}
ScopedIsaChoice::~ScopedIsaChoice() { choice_of_test = previous_; }

}  // namespace internal
}  // namespace twofour
