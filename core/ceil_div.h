#pragma once

#include <cstdint>

namespace twofour {

/// a / b rounded up, for a >= 0 and b > 0.
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The smallest multiple of `unit` that is not below a, for a >= 0 and unit > 0.
constexpr int64_t RoundUp(int64_t a, int64_t unit) { return CeilDiv(a, unit) * unit; }

}  // namespace twofour
