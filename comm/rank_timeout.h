#pragma once

namespace twofour::comm {

/// A rank that waits for longer waits for ever.
inline constexpr double kMostTimeoutSeconds = 1e9;

/// How many seconds a rank waits for an answer of another one: the environment variable TWOFOUR_RANK_TIMEOUT, or 300 if
/// that is not set or empty. Throws Error if it is not a number above 0, at most kMostTimeoutSeconds.
double RankTimeoutSeconds();

}  // namespace twofour::comm
