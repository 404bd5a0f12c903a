#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/faults.h"

namespace twofour::sparse {

/// How the share of pruned tiles goes from `from` to `to`. t is the part of [begin, end] that is over, 0 to 1.
enum class ScheduleShape {
  kConstant,     ///< `to` from `begin` on; `end` is not used.
  kLinear,       ///< t
  kCubic,        ///< 1 - (1 - t)^3: fast first. Zhu and Gupta, "To prune, or not to prune", 2017.
  kSmoothstep,   ///< 3 t^2 - 2 t^3: slow at both ends.
  kExponential,  ///< (1 - e^(-k t)) / (1 - e^(-k)): reaches `to` at `end`, which 1 - e^(-k t) alone would not.
  kCosine,       ///< (1 - cos(pi t)) / 2
  kPiecewise,    ///< Straight lines between `points`.
};

/// "constant", "linear", ...
std::string_view NameOf(ScheduleShape shape);

/// A corner of a piecewise schedule.
struct SchedulePoint {
  int64_t step = 0;
  double share = 0;
  std::optional<double> fraction = {};  ///< See Moment. If several points are at one step, the last one counts.
};

struct SparsityScheduleOptions {
  ScheduleShape shape = ScheduleShape::kConstant;
  int64_t begin_step = 0;  ///< Before this step the share is `from`.
  int64_t end_step = 0;    ///< From this step on the share is `to`. If it equals begin_step, the share jumps.
  double from = 0;
  double to = 1;
  double rate = 5;                         ///< The k of kExponential.
  std::vector<SchedulePoint> points = {};  ///< Only for kPiecewise, which uses nothing else here.
};

/// Rules: shares in [0, 1], a rate above 0 and at most 100, an end that is not before the begin (except for kConstant).
/// kPiecewise needs at least one point, and its points rise in time; other shapes take no points. A moment before step
/// 0 is a fault; other moments are not compared with it.
void Check(const SparsityScheduleOptions& options, const FieldPath& at, Faults& faults);

/// The share of a weight's tiles that are pruned, 0 to 1, at each optimizer step. The weight's sparsity is half of that
/// share. A pure function of the step, so a resumed run needs no state.
class SparsitySchedule {
 public:
  /// All tiles, at every step.
  SparsitySchedule() = default;
  /// Throws Error on options that Check finds fault with.
  explicit SparsitySchedule(SparsityScheduleOptions options);

  /// The share at optimizer step `step`, counted from 0.
  double ShareAt(int64_t step) const;
  /// The share no longer changes from this step on.
  int64_t LastChange() const;

  const SparsityScheduleOptions& options() const { return options_; }

 private:
  SparsityScheduleOptions options_;
};

}  // namespace twofour::sparse
