#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

using proto::When;

bool IsSet(const When& when) { return when.kind_case() != When::KIND_NOT_SET; }

/// A moment of the run: its step and, where it was given as one, the fraction.
struct Moment {
  int64_t step = 0;
  std::optional<double> fraction = std::nullopt;
};

bool AreFractions(const Moment& a, const Moment& b) { return a.fraction && b.fraction; }

/// Whether `a` comes before `b`. Between two fractions both must say so: rounding to whole steps alone is no fault of
/// the config, which may be a long run's that is tried out in a few steps.
bool IsBefore(const Moment& a, const Moment& b) {
  constexpr double kRounding = 1e-9;
  return a.step < b.step && (!AreFractions(a, b) || *a.fraction < *b.fraction - kRounding);
}

/// Whether `b` comes after `a`; of two fractions, it may do so within a step.
bool Rises(const Moment& a, const Moment& b) {
  return a.step < b.step || (AreFractions(a, b) && *a.fraction < *b.fraction);
}

/// Collects faults about moments of a run of `steps` optimizer steps.
class Moments {
 public:
  Moments(int64_t steps, Faults& faults) : steps_(steps), faults_(faults) {}

  /// The moment, where one is given and it lies within the run.
  std::optional<Moment> Check(const std::string& path, const When& when) {
    if (when.has_step()) faults_.InRange(path + ".step", when.step(), 0, steps_);
    if (when.has_fraction()) faults_.Between(path + ".fraction", when.fraction(), 0, 1);
    if (!IsSet(when)) return std::nullopt;
    const bool fits = when.has_step() ? when.step() >= 0 && when.step() <= steps_
                                      : when.fraction() >= 0 && when.fraction() <= 1;  // Not a NaN.
    if (!fits) return std::nullopt;
    return Moment{StepOf(when, steps_, 0), when.has_fraction() ? std::optional(when.fraction()) : std::nullopt};
  }

  std::optional<Moment> Require(const std::string& path, const When& when) {
    if (!IsSet(when)) faults_.Missing(path, "{ step: N } or { fraction: F }");
    return Check(path, when);
  }

 private:
  int64_t steps_;
  Faults& faults_;
};

std::string Numbered(const std::string& path, int number) { return fmt::format("{}[{}]", path, number); }

/// What a recipe consists of in time, each where it is valid: for the checks that look at two of them.
struct Times {
  /// From where to where the share of pruned tiles moves, and which field says so.
  std::optional<Moment> schedule_begin, schedule_end;
  std::string schedule_begin_path;
  std::optional<Moment> first_stage, last_stage, freeze;
  Moment first_sparse{0, 0.0};
};

void CheckPoints(const proto::SparsitySchedule& schedule, Moments& moments, Times& times, Faults& faults) {
  const std::string path = "sparsity.schedule.points";
  if (schedule.points_size() == 0) faults.Missing(path, "at least one for PIECEWISE");
  std::optional<Moment> last;
  for (int i = 0; i < schedule.points_size(); ++i) {
    const proto::SparsitySchedule::Point& point = schedule.points(i);
    if (!point.has_share()) faults.Missing(Numbered(path, i) + ".share", "0 to 1");
    faults.Between(Numbered(path, i) + ".share", point.share(), 0, 1);
    const std::optional<Moment> at = moments.Require(Numbered(path, i) + ".at", point.at());
    if (at && last) {
      faults.Expect(Rises(*last, *at), Numbered(path, i) + ".at", fmt::format("step {}", at->step),
                    fmt::format("a step after that of the point before, which is {}", last->step));
    }
    last = at;
    // A single point is there from the beginning.
    if (i == 0 && schedule.points_size() > 1) {
      times.schedule_begin = at;
      times.schedule_begin_path = Numbered(path, i) + ".at";
    }
  }
  times.schedule_end = last;
}

void CheckSchedule(const proto::SparsitySchedule& schedule, Moments& moments, Times& times, Faults& faults) {
  using proto::SparsitySchedule;
  const std::string path = "sparsity.schedule";
  if (schedule.shape() == SparsitySchedule::PIECEWISE) {
    const char* const kNone = "none for PIECEWISE, whose points say when";
    faults.Expect(!IsSet(schedule.begin()), path + ".begin", "given", kNone);
    faults.Expect(!IsSet(schedule.end()), path + ".end", "given", kNone);
    return CheckPoints(schedule, moments, times, faults);
  }
  faults.Expect(schedule.points_size() == 0, path + ".points", fmt::format("{} of them", schedule.points_size()),
                "none but for PIECEWISE");
  faults.Between(path + ".from", schedule.from(), 0, 1);
  faults.Between(path + ".to", schedule.to(), 0, 1);
  constexpr double kMostRate = 100;
  faults.Expect(schedule.rate() > 0 && schedule.rate() <= kMostRate, path + ".rate", schedule.rate(),
                "a number above 0, at most 100");
  const std::optional<Moment> begin = moments.Check(path + ".begin", schedule.begin());
  times.schedule_begin_path = path + ".begin";
  if (schedule.shape() == SparsitySchedule::CONSTANT) {
    faults.Expect(!IsSet(schedule.end()), path + ".end", "given", "none for CONSTANT, which changes at once");
    times.schedule_begin = times.schedule_end = begin;
    return;
  }
  times.schedule_begin = IsSet(schedule.begin()) ? begin : std::optional(Moment{0, 0.0});
  times.schedule_end = moments.Require(path + ".end", schedule.end());
  if (!times.schedule_begin || !times.schedule_end) return;
  faults.Expect(!IsBefore(*times.schedule_end, *times.schedule_begin), path + ".end",
                fmt::format("step {}", times.schedule_end->step),
                fmt::format("at least the begin, which is step {}", times.schedule_begin->step));
}

void CheckStages(const proto::Sparsity& sparsity, Moments& moments, Times& times, Faults& faults) {
  const std::string path = "sparsity.stages";
  if (sparsity.stages_size() == 0) {
    faults.Expect(!sparsity.nested_stages(), "sparsity.nested_stages", "true", "false without stages");
    return;
  }
  faults.Expect(sparsity.algorithm() == proto::Sparsity::EXACT, path,
                fmt::format("with algorithm {}", proto::Sparsity::Algorithm_Name(sparsity.algorithm())),
                "EXACT for N-decay");
  int keep = sparse::kTileSize + 1;
  std::optional<Moment> last;
  for (int i = 0; i < sparsity.stages_size(); ++i) {
    const proto::Stage& stage = sparsity.stages(i);
    const std::string range = keep == 1 ? "no stage after one that keeps 1"
                              : keep == 2
                                  ? "1: each stage keeps fewer than the one before"
                                  : fmt::format("1 to {}: each stage keeps fewer than the one before", keep - 1);
    faults.Expect(stage.keep() >= 1 && stage.keep() < keep, Numbered(path, i) + ".keep", stage.keep(), range);
    keep = std::clamp(stage.keep(), 1, keep);
    const std::optional<Moment> begin = moments.Require(Numbered(path, i) + ".begin", stage.begin());
    if (begin && !times.first_stage) times.first_stage = begin;
    if (begin && last) {
      faults.Expect(Rises(*last, *begin), Numbered(path, i) + ".begin", fmt::format("step {}", begin->step),
                    fmt::format("a step after the stage before, which begins at {}", last->step));
    }
    last = begin;
  }
  times.last_stage = last;
}

/// Dense phases against each other and against what moves between them.
void CheckDensePhases(const proto::Sparsity& sparsity, int64_t steps, Times& times, Faults& faults) {
  const double warmup = sparsity.dense_warmup(), finish = sparsity.dense_finish();
  faults.Probability("sparsity.dense_warmup", warmup);
  faults.Probability("sparsity.dense_finish", finish);
  if (!(warmup >= 0 && warmup < 1 && finish >= 0 && finish < 1)) return;
  if (!(warmup + finish < 1)) {
    return faults.Expect(false, "sparsity.dense_finish", finish,
                         fmt::format("less than 1 - dense_warmup, which is {}: the two overlap", 1 - warmup));
  }
  const Moment first{DenseWarmupSteps(sparsity, steps), warmup};
  const Moment last{steps - DenseFinishSteps(sparsity, steps), 1 - finish};
  times.first_sparse = first;
  if (steps > 0 && first.step >= last.step) {  // By rounding to whole steps.
    if (finish > 0) {
      return faults.Expect(
          false, "sparsity.dense_finish", finish,
          fmt::format("a sparse step between the dense phases: they meet at step {} of {}", first.step, steps));
    }
    return faults.Expect(false, "sparsity.dense_warmup", warmup,
                         fmt::format("a sparse step after it: it ends at step {} of {}", first.step, steps));
  }
  const auto after_warmup = [&](const std::string& path, const std::optional<Moment>& moment, const char* what) {
    if (!moment) return;
    faults.Expect(!IsBefore(*moment, first), path, fmt::format("step {}", moment->step),
                  fmt::format("at least {}, where the dense warm-up ends: {}", first.step, what));
  };
  const auto before_finish = [&](const char* path, const std::optional<Moment>& moment) {
    if (!moment) return;
    faults.Expect(!IsBefore(last, *moment), path, fmt::format("to step {}", moment->step),
                  fmt::format("to {} at most, where the dense finish begins: the two overlap", last.step));
  };
  after_warmup("sparsity.stages[0].begin", times.first_stage, "the two overlap");
  after_warmup(times.schedule_begin_path, times.schedule_begin, "the two overlap");
  before_finish("sparsity.schedule", times.schedule_end);
  before_finish("sparsity.stages", times.last_stage);
  after_warmup("sparsity.freeze", times.freeze, "nothing would ever be masked");
}

void CheckFreeze(const proto::Sparsity& sparsity, const Times& times, Faults& faults) {
  faults.InRange("sparsity.interval", sparsity.interval(), 1, kMaxCount);
  faults.Between("sparsity.interval_growth", sparsity.interval_growth(), 0, 1);
  if (!IsSet(sparsity.freeze())) {
    faults.Expect(!sparsity.freeze_gradient(), "sparsity.freeze_gradient", "true", "false without freeze");
    return;
  }
  if (!times.freeze) return;
  const Moment freeze = *times.freeze, first = times.first_sparse;
  if (IsBefore(freeze, first)) return;  // Already reported.
  // A fraction is a few steps in a short run, and later than the first mask in a long one.
  const bool moves = freeze.fraction > first.fraction.value_or(0);
  const int64_t interval = sparsity.interval();
  faults.Expect(interval <= 1 || freeze.step - first.step >= interval || moves, "sparsity.interval", interval,
                fmt::format("1, or masks that freeze at step {} or later, not {}: the first is the last",
                            first.step + std::min(interval, kMaxCount), freeze.step));
  faults.Expect(!(sparsity.interval_growth() > 0) || freeze.step > first.step || moves, "sparsity.interval_growth",
                sparsity.interval_growth(),
                fmt::format("0, or masks that freeze later than step {}: the first is the last", freeze.step));
  const auto still_moves = [&](const char* path, const std::optional<Moment>& until) {
    if (!until) return;
    faults.Expect(!IsBefore(freeze, *until), path, fmt::format("to step {}", until->step),
                  fmt::format("to {} at most, where masks are frozen", freeze.step));
  };
  still_moves("sparsity.schedule", times.schedule_end);
  still_moves("sparsity.stages", times.last_stage);
}

void CheckRows(const proto::Sparsity& sparsity, Faults& faults) {
  const proto::RowPattern& rows = sparsity.rows();
  faults.InRange("sparsity.rows.of", rows.of(), 1, sparse::kMostNeighbours);
  faults.Expect(rows.keep() >= 1 && rows.keep() <= rows.of(), "sparsity.rows.keep", rows.keep(),
                fmt::format("1 to rows.of, which is {}", rows.of()));
  const bool by_rows = sparsity.algorithm() == proto::Sparsity::ROWS;
  faults.Expect(by_rows || !sparsity.soft_threshold(), "sparsity.soft_threshold", "true", "false but for ROWS");
  const proto::SparsitySchedule& schedule = sparsity.schedule();
  const bool all_at_once =
      schedule.shape() == proto::SparsitySchedule::CONSTANT && !IsSet(schedule.begin()) && schedule.to() == 1;
  faults.Expect(!sparsity.soft_threshold() || all_at_once, "sparsity.soft_threshold", "true",
                "false beside a schedule: its scale is found once, when all is pruned");
  const bool valid = rows.keep() >= 1 && rows.keep() <= rows.of() && rows.of() <= sparse::kMostNeighbours;
  const bool as_by_default = rows.keep() == proto::RowPattern().keep() && rows.of() == proto::RowPattern().of();
  faults.Expect(by_rows || as_by_default || !valid, "sparsity.rows", fmt::format("{}:{}", rows.keep(), rows.of()),
                "none but for ROWS");
  if (!by_rows || rows.of() < 1) return;
  faults.Expect(sparsity.multiple_of() % rows.of() == 0, "sparsity.multiple_of", sparsity.multiple_of(),
                fmt::format("a multiple of rows.of, which is {}", rows.of()));
}

/// Pruned activations have no weight masks that a recipe could be about.
void CheckTarget(const proto::Sparsity& sparsity, Faults& faults) {
  if (sparsity.target() != proto::Sparsity::ACTIVATION) return;
  const proto::Sparsity::Algorithm algorithm = sparsity.algorithm();
  faults.Expect(algorithm == proto::Sparsity::EXACT || algorithm == proto::Sparsity::GREEDY, "sparsity.algorithm",
                proto::Sparsity::Algorithm_Name(algorithm), "EXACT or GREEDY for target ACTIVATION");
  const auto none = [&](const char* path, bool given) {
    faults.Expect(!given, path, "given", "none for target ACTIVATION: it is for masks of weights");
  };
  const proto::SparsitySchedule& schedule = sparsity.schedule();
  none("sparsity.schedule", schedule.shape() != proto::SparsitySchedule::CONSTANT || IsSet(schedule.begin()));
  none("sparsity.stages", sparsity.stages_size() > 0);
  none("sparsity.freeze", IsSet(sparsity.freeze()));
  none("sparsity.dense_warmup", sparsity.dense_warmup() != 0);
  none("sparsity.dense_finish", sparsity.dense_finish() != 0);
  none("sparsity.masked_decay", sparsity.masked_decay().lambda() != 0);
}

}  // namespace

void CheckSparsity(const proto::Sparsity& sparsity, int64_t steps, Faults& faults) {
  faults.Expect(
      sparsity.multiple_of() >= 4 && sparsity.multiple_of() % 4 == 0 && sparsity.multiple_of() <= kMaxFeatures,
      "sparsity.multiple_of", sparsity.multiple_of(), "a multiple of 4, at least 4");
  faults.Regex("sparsity.include", sparsity.include());
  faults.Regex("sparsity.exclude", sparsity.exclude());
  CheckTarget(sparsity, faults);
  CheckRows(sparsity, faults);
  faults.AtLeast("sparsity.masked_decay.lambda", sparsity.masked_decay().lambda(), 0);
  Moments moments(steps, faults);
  Times times;
  CheckSchedule(sparsity.schedule(), moments, times, faults);
  CheckStages(sparsity, moments, times, faults);
  times.freeze = moments.Check("sparsity.freeze", sparsity.freeze());
  CheckDensePhases(sparsity, steps, times, faults);
  CheckFreeze(sparsity, times, faults);
}

}  // namespace twofour::train
