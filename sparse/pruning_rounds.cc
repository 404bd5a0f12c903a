#include "twofour/sparse/pruning_rounds.h"

#include <fmt/format.h>

#include <cmath>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/sparse/schedule.h"

namespace twofour::sparse {

int64_t MostRounds(const PruningPattern& pattern) {
  if (pattern.has_budget()) return kMaxCount;
  const MaskFormat& format = pattern.format;
  return format.kind == MaskFormat::Kind::kRows ? format.m - format.n : 1;
}

PruningPattern PatternOfRound(const PruningPattern& pattern, int64_t round, int64_t rounds) {
  const int64_t most = MostRounds(pattern);
  if (round < 0 || round >= rounds || rounds > most) {
    throw Error(fmt::format("PatternOfRound: round {} of {} for {}, expected one of at most {} rounds, counted from 0",
                            round, rounds, pattern.ToString(), most));
  }
  PruningPattern of_round = pattern;
  if (pattern.has_budget()) {
    const SparsitySchedule curve({.shape = ScheduleShape::kCubic, .end_step = rounds});
    // To a number that is short in messages. The last share is 1.
    const double sparsity = pattern.sparsity * curve.ShareAt(round + 1);
    of_round.sparsity = round + 1 == rounds ? pattern.sparsity : std::round(sparsity * 1e9) / 1e9;
  } else if (rounds > 1) {
    const int64_t dropped = pattern.format.m - pattern.format.n;
    of_round.format.n = pattern.format.m - static_cast<int>(CeilDiv(dropped * (round + 1), rounds));
  }
  return of_round;
}

}  // namespace twofour::sparse
