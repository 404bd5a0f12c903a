#include "twofour/sparse/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "twofour/sparse/moment.h"

namespace twofour::sparse {
namespace {

constexpr double kMostRate = 100;

void CheckPoints(const std::vector<SchedulePoint>& points, const FieldPath& at, Faults& faults) {
  if (points.empty()) {
    faults.Missing(at("points"), fmt::format("at least one for {}", faults.Word(NameOf(ScheduleShape::kPiecewise))),
                   "a piecewise one has no points, expected at least one");
  }
  RisingMoments rising("a step after that of the point before, which is");
  for (size_t i = 0; i < points.size(); ++i) {
    const FieldPath point = at.In("points", i);
    faults.Between(point("share"), points[i].share, 0, 1);
    rising.Check({points[i].step, points[i].fraction}, point("step"), faults);
  }
}

/// The part of [begin, end] that is over at `step`, from 0 to 1.
double Progress(int64_t step, int64_t begin, int64_t end) {
  if (step >= end) return 1;
  return step <= begin ? 0 : static_cast<double>(step - begin) / static_cast<double>(end - begin);
}

/// Rises from exactly 0 at t = 0 to exactly 1 at t = 1. (kConstant and kPiecewise do not use it.)
double Rise(ScheduleShape shape, double t, double rate) {
  switch (shape) {
    case ScheduleShape::kConstant:
    case ScheduleShape::kPiecewise:
      return 1;
    case ScheduleShape::kLinear:
      return t;
    case ScheduleShape::kCubic:
      return 1 - (1 - t) * (1 - t) * (1 - t);
    case ScheduleShape::kSmoothstep:
      return t * t * (3 - 2 * t);
    case ScheduleShape::kExponential:
      return std::expm1(-rate * t) / std::expm1(-rate);
    case ScheduleShape::kCosine:
      return t == 1 ? 1 : (1 - std::cos(std::numbers::pi * t)) / 2;
  }
  return 1;
}

double OnLines(const std::vector<SchedulePoint>& points, int64_t step) {
  const auto after = std::upper_bound(points.begin(), points.end(), step,
                                      [](int64_t at, const SchedulePoint& point) { return at < point.step; });
  if (after == points.begin()) return points.front().share;
  const SchedulePoint& left = *(after - 1);
  if (after == points.end()) return left.share;
  return std::lerp(left.share, after->share, Progress(step, left.step, after->step));
}

}  // namespace

std::string_view NameOf(ScheduleShape shape) {
  switch (shape) {
    case ScheduleShape::kConstant:
      return "constant";
    case ScheduleShape::kLinear:
      return "linear";
    case ScheduleShape::kCubic:
      return "cubic";
    case ScheduleShape::kSmoothstep:
      return "smoothstep";
    case ScheduleShape::kExponential:
      return "exponential";
    case ScheduleShape::kCosine:
      return "cosine";
    case ScheduleShape::kPiecewise:
      return "piecewise";
  }
  return "?";
}

void Check(const SparsityScheduleOptions& options, const FieldPath& at, Faults& faults) {
  const int64_t begin = options.begin_step, end = options.end_step;
  const std::string_view piecewise = NameOf(ScheduleShape::kPiecewise);
  if (options.shape == ScheduleShape::kPiecewise) return CheckPoints(options.points, at, faults);
  faults.Expect(options.points.empty(), at("points"), fmt::format("{} of them", options.points.size()),
                fmt::format("none but for {}", faults.Word(piecewise)),
                fmt::format("points given, but the shape is {}, expected {}", NameOf(options.shape), piecewise));
  faults.Between(at("from"), options.from, 0, 1);
  faults.Between(at("to"), options.to, 0, 1);
  faults.Expect(options.rate > 0 && options.rate <= kMostRate, at("rate"), options.rate,
                fmt::format("a number above 0, at most {}", kMostRate));
  const std::string in_code = fmt::format("from step {} to step {}, expected 0 <= begin <= end", begin, end);
  faults.Expect(begin >= 0, at("begin_step"), begin, "at least 0", in_code);
  const bool at_once = options.shape == ScheduleShape::kConstant;
  faults.Expect(at_once || end >= begin, at("end_step"), fmt::format("step {}", end),
                fmt::format("at least the begin, which is step {}", begin), in_code);
}

SparsitySchedule::SparsitySchedule(SparsityScheduleOptions options) : options_(std::move(options)) {
  Checked(options_, "sparsity schedule: ");
  LeaveOutReplaced(options_.points);
}

double SparsitySchedule::ShareAt(int64_t step) const {
  const SparsityScheduleOptions& o = options_;
  if (o.shape == ScheduleShape::kPiecewise) return OnLines(o.points, step);
  if (step < o.begin_step) return o.from;
  if (o.shape == ScheduleShape::kConstant || step >= o.end_step) return o.to;
  return std::clamp(std::lerp(o.from, o.to, Rise(o.shape, Progress(step, o.begin_step, o.end_step), o.rate)), 0.0, 1.0);
}

int64_t SparsitySchedule::LastChange() const {
  if (options_.shape == ScheduleShape::kPiecewise) return options_.points.back().step;
  return options_.shape == ScheduleShape::kConstant ? options_.begin_step : options_.end_step;
}

}  // namespace twofour::sparse
