#pragma once

#include <functional>

#include "twofour/core/isa.h"

namespace twofour::test {

/// Calls body(isa) for each of AllowedIsas() that Highway knows, fastest first, while TWOFOUR_DYNAMIC_DISPATCH is bound
/// to it. Failures inside name the instruction set.
void ForEachIsa(const std::function<void(Isa isa)>& body);

}  // namespace twofour::test
