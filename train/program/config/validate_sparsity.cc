#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/mask_plan.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

using proto::When;
using sparse::Moment;

/// Whether `a` comes before `b`. If both are fractions, the fractions must be in this order, too, and not only the
/// steps: rounding to whole steps is no fault of a config for long runs that is tried out in a few steps.
bool IsBefore(const Moment& a, const Moment& b) {
  constexpr double kRounding = 1e-9;
  const bool are_fractions = a.fraction && b.fraction;
  return a.step < b.step && (!are_fractions || *a.fraction < *b.fraction - kRounding);
}

/// Collects faults about moments of a run.
class Moments {
 public:
  /// `steps` is the number of optimizer steps, or nothing if the config gives no possible one.
  Moments(std::optional<int64_t> steps, Faults& faults) : steps_(steps), faults_(faults) {}

  /// The moment, if it is given and lies within the run. If it lies outside, adds a fault. Closes a field that gives no
  /// moment for other faults.
  std::optional<Moment> Check(const std::string& path, const When& when) {
    if (when.has_step()) faults_.InRange(path + ".step", when.step(), 0, steps_.value_or(kMaxCount));
    if (when.has_fraction()) faults_.Between(path + ".fraction", when.fraction(), 0, 1);
    if (!IsSet(when)) return std::nullopt;
    if (steps_ && faults_.IsSound(path)) return MomentOf(when, *steps_, {});
    faults_.Close(path);
    return std::nullopt;
  }

  std::optional<Moment> Require(const std::string& path, const When& when) {
    if (IsSet(when)) return Check(path, when);
    faults_.Missing(path, "{ step: N } or { fraction: F }");
    faults_.Close(path);
    return std::nullopt;
  }

 private:
  std::optional<int64_t> steps_;
  Faults& faults_;
};

std::string Numbered(const std::string& path, int number) { return fmt::format("{}[{}]", path, number); }

/// The moments of a recipe, for the checks that compare two of them. A moment that is not valid is left empty.
struct Times {
  /// When the share of pruned tiles starts and stops moving, and the path of the field that sets the start.
  std::optional<Moment> schedule_begin, schedule_end;
  std::string schedule_begin_path;
  std::optional<Moment> first_stage, last_stage, freeze;
  Moment first_sparse{0, 0.0};
};

void CheckPoints(const proto::SparsitySchedule& schedule, Moments& moments, Times& times, Faults& faults) {
  const std::string path = "sparsity.schedule.points";
  std::optional<Moment> last;
  for (int i = 0; i < schedule.points_size(); ++i) {
    const proto::SparsitySchedule::Point& point = schedule.points(i);
    if (!point.has_share()) faults.Missing(Numbered(path, i) + ".share", "0 to 1");
    last = moments.Require(Numbered(path, i) + ".at", point.at());
    // With a single point, the share is the same from the beginning on.
    if (i == 0 && schedule.points_size() > 1) {
      times.schedule_begin = last;
      times.schedule_begin_path = Numbered(path, i) + ".at";
    }
  }
  times.schedule_end = last;
}

void CheckSchedule(const proto::SparsitySchedule& schedule, Moments& moments, Times& times, Faults& faults) {
  using proto::SparsitySchedule;
  const std::string path = "sparsity.schedule";
  if (schedule.shape() == SparsitySchedule::PIECEWISE) return CheckPoints(schedule, moments, times, faults);
  const std::optional<Moment> begin = moments.Check(path + ".begin", schedule.begin());
  times.schedule_begin_path = path + ".begin";
  if (schedule.shape() == SparsitySchedule::CONSTANT) {
    times.schedule_begin = times.schedule_end = begin;
    return;
  }
  times.schedule_begin = IsSet(schedule.begin()) ? begin : std::optional(Moment{0, 0.0});
  times.schedule_end = moments.Require(path + ".end", schedule.end());
}

void CheckStages(const proto::Sparsity& sparsity, Moments& moments, Times& times) {
  const bool may = sparsity.algorithm() == proto::Sparsity::EXACT || sparsity.algorithm() == proto::Sparsity::VNM;
  if (!may) return;  // The plan's Check refuses all stages.
  const std::string path = "sparsity.stages";
  for (int i = 0; i < sparsity.stages_size(); ++i) {
    times.last_stage = moments.Require(Numbered(path, i) + ".begin", sparsity.stages(i).begin());
    if (!times.first_stage) times.first_stage = times.last_stage;
  }
}

/// Checks dense phases against each other and against the moments that must lie between them.
void CheckDensePhases(const proto::Sparsity& sparsity, int64_t steps, Times& times, Faults& faults) {
  const double warmup = sparsity.dense_warmup(), finish = sparsity.dense_finish();
  faults.Probability("sparsity.dense_warmup", warmup);
  faults.Probability("sparsity.dense_finish", finish);
  if (!faults.IsSound("sparsity.dense_warmup")) return;
  const Moment first{DenseWarmupSteps(sparsity, steps), warmup};
  times.first_sparse = first;
  if (!faults.IsSound("sparsity.dense_finish")) return;
  if (!(warmup + finish < 1)) {
    return faults.Expect(false, "sparsity.dense_finish", finish,
                         fmt::format("less than 1 - dense_warmup, which is {:.10g}: the two overlap", 1 - warmup));
  }
  const Moment last{steps - DenseFinishSteps(sparsity, steps), 1 - finish};
  if (steps > 0 && first.step >= last.step) {  // Caused by rounding to whole steps.
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
  // Without the end of the warm-up, the first mask is not known.
  if (!times.freeze || !faults.IsSound("sparsity.dense_warmup")) return;
  const Moment freeze = *times.freeze, first = times.first_sparse;
  if (IsBefore(freeze, first)) return;  // Already reported.
  // The same fraction may be only a few steps in a short run, but well after the first mask in a long one.
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

/// The schedule that the config describes, or the default one if that has a fault.
sparse::SparsitySchedule CheckedSchedule(const proto::SparsitySchedule& message, int64_t steps, Faults& faults) {
  const sparse::SparsityScheduleOptions options = ToOptions(message, steps);
  Check(options, {"sparsity.schedule", {{"begin_step", "begin"}, {"end_step", "end"}, {"step", "at"}}}, faults);
  try {
    return sparse::SparsitySchedule(options);
  } catch (const Error&) {
    return {};
  }
}

/// Checks a text that is to name a pattern, and what it names.
void CheckPatternText(const std::string& path, const std::string& text, Faults& faults) {
  if (text.empty()) return faults.Missing(path, std::string(sparse::ExpectedPattern()));
  const std::optional<sparse::PruningPattern> pattern = sparse::ReadPruningPattern(text);
  if (!pattern) return faults.Expect(false, path, fmt::format("'{}'", text), std::string(sparse::ExpectedPattern()));
  const Faults inside = FaultsOf(*pattern, "");
  if (inside.count() == 0) return;
  try {
    inside.ThrowFirst();
  } catch (const Error& error) {
    faults.Add(path, fmt::format("{}: {}", faults.Where(path), error.what()));
  }
}

/// Checks the fields that say which pattern masks have, but not how it goes with the rest.
void CheckPatterns(const proto::Sparsity& sparsity, Faults& faults) {
  const bool by_pattern = sparsity.algorithm() == proto::Sparsity::PATTERN;
  if (!by_pattern) {
    faults.Expect(sparsity.pattern().empty(), "sparsity.pattern", fmt::format("'{}'", sparsity.pattern()),
                  "none but for PATTERN");
    faults.Expect(sparsity.layers().empty(), "sparsity.layers", "given", "none but for PATTERN");
    return;
  }
  CheckPatternText("sparsity.pattern", sparsity.pattern(), faults);
  std::set<std::string> names;
  for (int i = 0; i < sparsity.layers_size(); ++i) {
    const proto::LayerPattern& layer = sparsity.layers(i);
    const std::string path = Numbered("sparsity.layers", i);
    if (layer.name().empty()) faults.Missing(path + ".name", "the dotted name of a linear");
    faults.Expect(layer.name().empty() || names.insert(layer.name()).second, path + ".name", layer.name(),
                  "each name once");
    CheckPatternText(path + ".pattern", layer.pattern(), faults);
  }
}

/// Checks the pattern of each linear with the rest of the plan.
void CheckPlansOfLayers(const proto::Sparsity& sparsity, const sparse::MaskPlan& plan, Faults& faults) {
  for (int i = 0; i < sparsity.layers_size(); ++i) {
    const std::string path = Numbered("sparsity.layers", i) + ".pattern";
    const auto pattern = sparse::ReadPruningPattern(sparsity.layers(i).pattern());
    if (!pattern || !faults.IsSound(path)) continue;
    sparse::MaskPlanOptions options = plan.options();
    options.pattern = *pattern;
    Check(options, {path, {{"pattern", ""}, {"schedule", "sparsity.schedule"}}}, faults);
  }
}

/// The plan that the config describes, without dense phases, which CheckDensePhases checks. If the plan has a fault,
/// returns one without that fault, which is good enough for the rules about the plan as a whole.
sparse::MaskPlan CheckedPlan(const proto::Sparsity& sparsity, int64_t steps, Faults& faults) {
  sparse::MaskPlanOptions options = ToOptions(sparsity, steps, CheckedSchedule(sparsity.schedule(), steps, faults));
  const sparse::MaskPlanOptions usual;
  options.first_sparse_step = usual.first_sparse_step;
  options.dense_from_step = usual.dense_from_step;
  if (!faults.IsSound("sparsity.pattern")) options.pattern = usual.pattern;
  Check(options, {"sparsity", {{"step", "begin"}}}, faults);
  try {
    return sparse::MaskPlan(options);
  } catch (const Error&) {
    options.stages.clear();
    options.nested_stages = false;
    if (options.method != sparse::MaskMethod::kVnm || !faults.IsSound("sparsity.vnm")) {
      options.vnm = usual.vnm;
      options.columns = usual.columns;
    }
    if (options.method == sparse::MaskMethod::kVnm) options.schedule = usual.schedule;
    if (options.method == sparse::MaskMethod::kPattern) {
      options.schedule = usual.schedule;
      options.order = usual.order;
    }
    if (options.method != sparse::MaskMethod::kPattern || !faults.IsSound("sparsity.pattern")) {
      options.pattern = usual.pattern;
    }
    if (options.method != sparse::MaskMethod::kRows) {
      options.rows = usual.rows;
    } else if (!faults.IsSound("sparsity.rows")) {
      options.rows = {.keep = 1, .of = 1};  // Any multiple_of is a multiple of 1.
    }
    return sparse::MaskPlan(options);
  }
}

}  // namespace

void CheckSparsity(const proto::Config& config, Faults& faults) {
  const proto::Sparsity& sparsity = config.sparsity();
  // If training.steps has a fault, moments are not compared. The plan is then built for 0 steps.
  const bool known = faults.IsSound("training.steps");
  const int64_t steps = known ? config.training().steps() : 0;
  Moments moments(known ? std::optional(steps) : std::nullopt, faults);
  Times times;
  CheckSchedule(sparsity.schedule(), moments, times, faults);
  CheckStages(sparsity, moments, times);
  CheckPatterns(sparsity, faults);
  const sparse::MaskPlan plan = CheckedPlan(sparsity, steps, faults);
  CheckPlansOfLayers(sparsity, plan, faults);
  times.freeze = moments.Check("sparsity.freeze", sparsity.freeze());
  CheckDensePhases(sparsity, steps, times, faults);
  Check(ToOptions(config, plan),
        {"sparsity", {{"sparsity", ""}, {"freeze_step", "freeze"}, {"activation_method", "algorithm"}}}, faults);
  CheckFreeze(sparsity, times, faults);
}

}  // namespace twofour::train
