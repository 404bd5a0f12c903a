#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/faults.h"

namespace twofour::sparse {

/// How the share of pruned tiles goes from `from` to `to`; t is how much of [begin, end] is behind, 0 to 1.
enum class ScheduleShape {
  kConstant,     ///< `to` from `begin` on, at once; `end` means nothing.
  kLinear,       ///< t
  kCubic,        ///< 1 - (1 - t)^3: fast first. Zhu and Gupta, "To prune, or not to prune", 2017.
  kSmoothstep,   ///< 3 t^2 - 2 t^3: slow at both ends.
  kExponential,  ///< (1 - e^(-k t)) / (1 - e^(-k)): reaches `to` at `end`, as 1 - e^(-k t) alone would not.
  kCosine,       ///< (1 - cos(pi t)) / 2
  kPiecewise,    ///< Straight lines between `points`.
};

/// "constant", "linear", ...
std::string_view NameOf(ScheduleShape shape);

/// A corner of a piecewise schedule.
struct SchedulePoint {
  int64_t step = 0;
  double share = 0;
  std::optional<double> fraction = {};  ///< See Moment. Of points in one step, the last one counts.
};

struct SparsityScheduleOptions {
  ScheduleShape shape = ScheduleShape::kConstant;
  int64_t begin_step = 0;  ///< Up to here `from`.
  int64_t end_step = 0;    ///< From here on `to`. Equal to begin_step: all at once.
  double from = 0;
  double to = 1;
  double rate = 5;                         ///< k of kExponential.
  std::vector<SchedulePoint> points = {};  ///< Of kPiecewise alone, which heeds nothing else here.
};

/// Shares within [0, 1], a rate above 0 (at most 100), an end that is not before the begin; points (at least one) that
/// rise in time, and none that a shape has no use for. A moment before step 0 is a fault, and no other is compared with
/// it.
void Check(const SparsityScheduleOptions& options, const FieldPath& at, Faults& faults);

/// The share of a weight's tiles that are pruned, 0 to 1, at each optimizer step: half of that is the weight's
/// sparsity. Pure: a resumed run needs no state.
class SparsitySchedule {
 public:
  /// Every tile, always.
  SparsitySchedule() = default;
  /// Throws Error on options that Check finds fault with.
  explicit SparsitySchedule(SparsityScheduleOptions options);

  /// Of optimizer step `step`, counted from 0.
  double ShareAt(int64_t step) const;
  /// From this step on the share stays.
  int64_t LastChange() const;

  const SparsityScheduleOptions& options() const { return options_; }

 private:
  SparsityScheduleOptions options_;
};

}  // namespace twofour::sparse
