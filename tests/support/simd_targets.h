#pragma once

#include <functional>

#include "twofour/core/cpu.h"

namespace twofour::test {

/// Calls body(target) for each of AllowedSimdTargets(), fastest first, with TWOFOUR_DYNAMIC_DISPATCH bound to it;
/// failures inside name the instruction set.
void ForEachSimdTarget(const std::function<void(SimdTarget target)>& body);

}  // namespace twofour::test
