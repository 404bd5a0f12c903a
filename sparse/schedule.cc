#include "twofour/sparse/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "twofour/core/error.h"

namespace twofour::sparse {
namespace {

constexpr double kMostRate = 100;

void RequireShare(const char* what, double share) {
  if (!(share >= 0 && share <= 1)) {
    throw Error(fmt::format("sparsity schedule: {} is {}, expected 0 to 1", what, share));
  }
}

void RequirePoints(const std::vector<SchedulePoint>& points) {
  if (points.empty()) throw Error("sparsity schedule: a piecewise one has no points, expected at least one");
  int64_t before = -1;
  for (const SchedulePoint& point : points) {
    if (point.step <= before) {
      throw Error(fmt::format("sparsity schedule: a point at step {} follows one at step {}, expected rising steps",
                              point.step, before));
    }
    RequireShare("a point's share", point.share);
    before = point.step;
  }
}

/// How much of [begin, end] is behind `step`, from 0 to 1.
double Progress(int64_t step, int64_t begin, int64_t end) {
  if (step >= end) return 1;
  return step <= begin ? 0 : static_cast<double>(step - begin) / static_cast<double>(end - begin);
}

/// From 0 at t = 0 to 1 at t = 1, exactly.
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

SparsitySchedule::SparsitySchedule(SparsityScheduleOptions options) : options_(std::move(options)) {
  if (options_.shape == ScheduleShape::kPiecewise) {
    RequirePoints(options_.points);
    return;
  }
  if (!options_.points.empty()) {
    throw Error(fmt::format("sparsity schedule: points given, but the shape is {}, expected piecewise",
                            NameOf(options_.shape)));
  }
  const bool at_once = options_.shape == ScheduleShape::kConstant;
  if (options_.begin_step < 0 || (!at_once && options_.end_step < options_.begin_step)) {
    throw Error(fmt::format("sparsity schedule: from step {} to step {}, expected 0 <= begin <= end",
                            options_.begin_step, options_.end_step));
  }
  RequireShare("from", options_.from);
  RequireShare("to", options_.to);
  if (!(options_.rate > 0 && options_.rate <= kMostRate)) {
    throw Error(fmt::format("sparsity schedule: rate is {}, expected above 0, at most {}", options_.rate, kMostRate));
  }
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
