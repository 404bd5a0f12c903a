#include "twofour/train/program/config/build_sparsity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/random_streams.h"

namespace twofour::train {
namespace {

sparse::MaskMethod ToMethod(proto::Sparsity::Algorithm algorithm) {
  switch (algorithm) {
    case proto::Sparsity::EXACT:
      return sparse::MaskMethod::kExact;
    case proto::Sparsity::GREEDY:
      return sparse::MaskMethod::kGreedy;
    case proto::Sparsity::SIGNED_GREEDY:
      return sparse::MaskMethod::kSignedGreedy;
    case proto::Sparsity::RANDOM:
      return sparse::MaskMethod::kRandom;
    case proto::Sparsity::ROWS:
      return sparse::MaskMethod::kRows;
  }
  throw std::logic_error("unknown algorithm");
}

sparse::ScheduleShape ToShape(proto::SparsitySchedule::Shape shape) {
  switch (shape) {
    case proto::SparsitySchedule::CONSTANT:
      return sparse::ScheduleShape::kConstant;
    case proto::SparsitySchedule::LINEAR:
      return sparse::ScheduleShape::kLinear;
    case proto::SparsitySchedule::CUBIC:
      return sparse::ScheduleShape::kCubic;
    case proto::SparsitySchedule::SMOOTHSTEP:
      return sparse::ScheduleShape::kSmoothstep;
    case proto::SparsitySchedule::EXPONENTIAL:
      return sparse::ScheduleShape::kExponential;
    case proto::SparsitySchedule::COSINE:
      return sparse::ScheduleShape::kCosine;
    case proto::SparsitySchedule::PIECEWISE:
      return sparse::ScheduleShape::kPiecewise;
  }
  throw std::logic_error("unknown schedule shape");
}

nn::MaskedDecay::Place ToPlace(proto::MaskedDecay::Place place) {
  switch (place) {
    case proto::MaskedDecay::GRADIENT:
      return nn::MaskedDecay::Place::kGradient;
    case proto::MaskedDecay::MOMENTS:
      return nn::MaskedDecay::Place::kMoments;
    case proto::MaskedDecay::WEIGHT:
      return nn::MaskedDecay::Place::kWeight;
  }
  throw std::logic_error("unknown place");
}

/// Appends what begins at `step`. What came before is left out if it begins there, too: in a run of few steps, two
/// fractions of it may be one step.
template <typename T>
void ReplaceLastAt(int64_t step, std::vector<T>& list, const T& item) {
  if (!list.empty() && list.back().step == step) list.pop_back();
  list.push_back(item);
}

int64_t StepsOfPart(double part, int64_t total_steps) {
  const int64_t steps = std::llround(part * static_cast<double>(total_steps));
  return part > 0 && steps == 0 && total_steps > 1 ? 1 : steps;
}

sparse::SparsitySchedule ToSchedule(const proto::SparsitySchedule& schedule, int64_t steps) {
  sparse::SparsityScheduleOptions options{.shape = ToShape(schedule.shape())};
  for (const proto::SparsitySchedule::Point& point : schedule.points()) {
    const int64_t step = StepOf(point.at(), steps, 0);
    ReplaceLastAt(step, options.points, {step, point.share()});
  }
  if (options.shape != sparse::ScheduleShape::kPiecewise) {
    options.begin_step = StepOf(schedule.begin(), steps, 0);
    options.end_step = StepOf(schedule.end(), steps, options.begin_step);
    options.from = schedule.from();
    options.to = schedule.to();
    options.rate = schedule.rate();
  }
  return sparse::SparsitySchedule(std::move(options));
}

sparse::MaskPlan ToPlan(const proto::Sparsity& sparsity, int64_t steps) {
  sparse::MaskPlanOptions options{.method = ToMethod(sparsity.algorithm()),
                                  .rows = {.keep = sparsity.rows().keep(), .of = sparsity.rows().of()},
                                  .schedule = ToSchedule(sparsity.schedule(), steps),
                                  .order = sparsity.schedule().order() == proto::SparsitySchedule::RANDOM
                                               ? sparse::TileOrder::kRandom
                                               : sparse::TileOrder::kLeastLoss,
                                  .first_sparse_step = DenseWarmupSteps(sparsity, steps),
                                  .nested_stages = sparsity.nested_stages()};
  if (sparsity.dense_finish() > 0) options.dense_from_step = steps - DenseFinishSteps(sparsity, steps);
  for (const proto::Stage& stage : sparsity.stages()) {
    const int64_t step = StepOf(stage.begin(), steps, 0);
    ReplaceLastAt(step, options.stages, {step, stage.keep()});
  }
  return sparse::MaskPlan(std::move(options));
}

}  // namespace

int64_t StepOf(const proto::When& when, int64_t total_steps, int64_t otherwise) {
  switch (when.kind_case()) {
    case proto::When::kStep:
      return when.step();
    case proto::When::kFraction:
      return std::llround(when.fraction() * static_cast<double>(total_steps));
    case proto::When::KIND_NOT_SET:
      break;
  }
  return otherwise;
}

int64_t DenseWarmupSteps(const proto::Sparsity& sparsity, int64_t total_steps) {
  return StepsOfPart(sparsity.dense_warmup(), total_steps);
}

int64_t DenseFinishSteps(const proto::Sparsity& sparsity, int64_t total_steps) {
  return StepsOfPart(sparsity.dense_finish(), total_steps);
}

nn::SwapOptions BuildSwapOptions(const proto::Config& config) {
  const proto::Sparsity& sparsity = config.sparsity();
  const int64_t steps = config.training().steps();
  nn::SemiSparseOptions options{
      .plan = ToPlan(sparsity, steps),
      .interval = sparsity.interval(),
      .interval_growth = sparsity.interval_growth(),
      .freeze_gradient = sparsity.freeze_gradient(),
      .masked_decay = {.lambda = sparsity.masked_decay().lambda(), .place = ToPlace(sparsity.masked_decay().place())},
      .soft_threshold = sparsity.soft_threshold(),
      .apply = sparsity.apply(),
      .key = {config.seed(), random_streams::kFirstMask, 0},
      .fused_mlp = sparsity.fused_mlp()};
  if (sparsity.freeze().kind_case() != proto::When::KIND_NOT_SET) {
    // In a run of few steps, rounding can put it before the first mask.
    options.freeze_step = std::max(StepOf(sparsity.freeze(), steps, 0), DenseWarmupSteps(sparsity, steps));
  }
  return {.include = sparsity.include(),
          .exclude = sparsity.exclude(),
          .multiple_of = sparsity.multiple_of(),
          .target =
              sparsity.target() == proto::Sparsity::ACTIVATION ? nn::SwapTarget::kActivation : nn::SwapTarget::kWeight,
          .sparsity = std::move(options),
          .activation_method = sparsity.algorithm() == proto::Sparsity::GREEDY ? sparse::MaskMethod::kGreedy
                                                                               : sparse::MaskMethod::kExact};
}

nn::SwapReport SwapLayers(const proto::Config& config, nn::Module& model) {
  const nn::SwapReport report = nn::SwapLinearWithSemiSparseLinear(model, BuildSwapOptions(config));
  if (!report.converted.empty()) return report;
  std::string message = "sparsity: no layer is eligible";
  for (const nn::SwapEntry& entry : report.kept_dense) {
    message += fmt::format("\n  {} [{}, {}]: {}", entry.name, entry.out_features, entry.in_features, entry.reason);
  }
  throw Error(message);
}

}  // namespace twofour::train
