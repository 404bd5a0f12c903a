#include "twofour/train/program/config/build_sparsity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/random_streams.h"
#include "twofour/train/program/config/build_finetune.h"
#include "twofour/train/program/config/in_field.h"
#include "twofour/train/program/config/sparsity_parts.h"

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
    case proto::Sparsity::VNM:
      return sparse::MaskMethod::kVnm;
    case proto::Sparsity::PATTERN:
      return sparse::MaskMethod::kPattern;
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

sparse::VnmColumnChoice ToChoice(proto::Vnm::Columns columns) {
  switch (columns) {
    case proto::Vnm::SUMS:
      return sparse::VnmColumnChoice::kSums;
    case proto::Vnm::KEPT:
      return sparse::VnmColumnChoice::kKept;
    case proto::Vnm::EXACT:
      return sparse::VnmColumnChoice::kExact;
  }
  throw std::logic_error("unknown choice of columns");
}

/// The plain default for a text that is no pattern.
sparse::PruningPattern PatternOr(const std::string& text, const sparse::PruningPattern& otherwise) {
  const std::optional<sparse::PruningPattern> pattern = sparse::ReadPruningPattern(text);
  return pattern ? *pattern : otherwise;
}

constexpr sparse::Moment kNowhere{.step = -1};

/// Where another part of the config takes the place of the timetable, `sparsity` says which linears are pruned and how
/// masks are chosen.
nn::SwapOptions BuildBareSwapOptions(proto::Config config, int64_t first_sparse_step) {
  proto::Sparsity& sparsity = *config.mutable_sparsity();
  ClearParts(sparsity, {proto::TIMETABLE, proto::TRAINING});
  sparse::MaskPlanOptions plan = ToOptions(sparsity, config.training().steps(), {});
  plan.first_sparse_step = first_sparse_step;
  return ToOptions(config, sparse::MaskPlan(std::move(plan)));
}

nn::SwapOptions BuildStagedSwapOptions(const proto::Config& config) {
  const nn::LoraStages stages = StagesOf(config);
  nn::SwapOptions options = BuildBareSwapOptions(config, stages.first_masked_step);
  options.sparsity.interval = stages.interval;
  options.sparsity.freeze_step = stages.first_fixed_step;
  return options;
}

/// With `one_shot`, masks are given.
nn::SwapOptions BuildGivenSwapOptions(const proto::Config& config) {
  nn::SwapOptions options = BuildBareSwapOptions(config, 0);
  options.sparsity.searches = false;
  options.sparsity.freeze_step = 0;
  options.sparsity.freeze_gradient = true;
  return options;
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

sparse::Moment MomentOf(const proto::When& when, int64_t total_steps, sparse::Moment otherwise) {
  if (when.has_step()) {
    return when.step() >= 0 && when.step() <= total_steps ? sparse::Moment{when.step()} : kNowhere;
  }
  if (!when.has_fraction()) return otherwise;
  const bool within = when.fraction() >= 0 && when.fraction() <= 1;  // False for NaN.
  return within ? sparse::Moment{StepOf(when, total_steps, 0), when.fraction()} : kNowhere;
}

int64_t StepsOfPart(double part, int64_t total_steps) {
  if (!(part >= 0 && part < 1)) return 0;
  const int64_t steps = std::llround(part * static_cast<double>(total_steps));
  return part > 0 && steps == 0 && total_steps > 1 ? 1 : steps;
}

int64_t DenseWarmupSteps(const proto::Sparsity& sparsity, int64_t total_steps) {
  return StepsOfPart(sparsity.dense_warmup(), total_steps);
}

int64_t DenseFinishSteps(const proto::Sparsity& sparsity, int64_t total_steps) {
  return StepsOfPart(sparsity.dense_finish(), total_steps);
}

sparse::MaskScore ToScore(proto::Score score) {
  switch (score) {
    case proto::MAGNITUDE:
      return sparse::MaskScore::kMagnitude;
    case proto::RIA:
      return sparse::MaskScore::kRia;
    case proto::ACTIVATION:
      return sparse::MaskScore::kActivation;
    case proto::WANDA:
      return sparse::MaskScore::kWanda;
    case proto::HESSIAN:
      return sparse::MaskScore::kHessian;
    case proto::OBS:
      return sparse::MaskScore::kObs;
    case proto::GRADIENT:
      return sparse::MaskScore::kGradient;
    case proto::GBLM:
      return sparse::MaskScore::kGblm;
    case proto::RANDOM:
      return sparse::MaskScore::kRandom;
  }
  throw std::logic_error("unknown score");
}

sparse::SparsityScheduleOptions ToOptions(const proto::SparsitySchedule& schedule, int64_t steps) {
  sparse::SparsityScheduleOptions options{.shape = ToShape(schedule.shape())};
  for (const proto::SparsitySchedule::Point& point : schedule.points()) {
    const sparse::Moment at = MomentOf(point.at(), steps, kNowhere);
    options.points.push_back({at.step, point.share(), at.fraction});
  }
  if (options.shape != sparse::ScheduleShape::kPiecewise) {
    const sparse::Moment begin = MomentOf(schedule.begin(), steps, {});
    options.begin_step = begin.step;
    options.end_step = MomentOf(schedule.end(), steps, begin).step;
    options.from = schedule.from();
    options.to = schedule.to();
    options.rate = schedule.rate();
  }
  return options;
}

sparse::MaskPlanOptions ToOptions(const proto::Sparsity& sparsity, int64_t steps, sparse::SparsitySchedule schedule) {
  sparse::MaskPlanOptions options{
      .method = ToMethod(sparsity.algorithm()),
      .rows = {.keep = sparsity.rows().keep(), .of = sparsity.rows().of()},
      .vnm = {.v = sparsity.vnm().v(),
              .m = sparsity.vnm().m(),
              .inner = sparsity.vnm().inner() == proto::Vnm::ROWS ? sparse::VnmInner::kRows
                                                                  : sparse::VnmInner::kTransposable},
      .columns = ToChoice(sparsity.vnm().columns()),
      .pattern = PatternOr(sparsity.pattern(), {}),
      .schedule = std::move(schedule),
      .order = sparsity.schedule().order() == proto::SparsitySchedule::RANDOM ? sparse::TileOrder::kRandom
                                                                              : sparse::TileOrder::kLeastLoss,
      .first_sparse_step = DenseWarmupSteps(sparsity, steps),
      .nested_stages = sparsity.nested_stages()};
  if (sparsity.dense_finish() > 0) options.dense_from_step = steps - DenseFinishSteps(sparsity, steps);
  for (const proto::Stage& stage : sparsity.stages()) {
    const sparse::Moment begin = MomentOf(stage.begin(), steps, kNowhere);
    options.stages.push_back({begin.step, stage.keep(), begin.fraction, stage.m()});
  }
  return options;
}

std::map<std::string, sparse::MaskPlan> PlansOfLayers(const proto::Sparsity& sparsity, const sparse::MaskPlan& plan) {
  std::map<std::string, sparse::MaskPlan> plans;
  for (const proto::LayerPattern& layer : sparsity.layers()) {
    sparse::MaskPlanOptions options = plan.options();
    options.pattern = PatternOr(layer.pattern(), options.pattern);
    const bool sound = FaultsOf(options, "").count() == 0;
    plans.insert_or_assign(layer.name(), sound ? sparse::MaskPlan(std::move(options)) : plan);
  }
  return plans;
}

nn::SwapOptions ToOptions(const proto::Config& config, sparse::MaskPlan plan) {
  const proto::Sparsity& sparsity = config.sparsity();
  const int64_t steps = config.training().steps();
  std::map<std::string, sparse::MaskPlan> plans = PlansOfLayers(sparsity, plan);
  nn::SemiSparseOptions options{
      .plan = std::move(plan),
      .score = ToScore(sparsity.score()),
      .interval = sparsity.interval(),
      .interval_growth = sparsity.interval_growth(),
      .freeze_gradient = sparsity.freeze_gradient(),
      .masked_decay = {.lambda = sparsity.masked_decay().lambda(), .place = ToPlace(sparsity.masked_decay().place())},
      .soft_threshold = sparsity.soft_threshold(),
      .apply = sparsity.apply(),
      .key = {config.seed(), random_streams::kFirstMask, 0},
      .fused_mlp = sparsity.fused_mlp()};
  if (sparsity.freeze().kind_case() != proto::When::KIND_NOT_SET) {
    // In a run of few steps, rounding can put the freeze before the first mask.
    options.freeze_step = std::max(MomentOf(sparsity.freeze(), steps, {}).step, DenseWarmupSteps(sparsity, steps));
  }
  return {.include = sparsity.include(),
          .exclude = sparsity.exclude(),
          .multiple_of = sparsity.multiple_of(),
          .target =
              sparsity.target() == proto::Sparsity::ACTIVATION ? nn::SwapTarget::kActivation : nn::SwapTarget::kWeight,
          .sparsity = std::move(options),
          .plans = std::move(plans),
          .activation_method = ToMethod(sparsity.algorithm())};
}

nn::SwapOptions BuildSwapOptions(const proto::Config& config) {
  if (config.has_finetune()) return BuildStagedSwapOptions(config);
  if (config.has_one_shot()) return BuildGivenSwapOptions(config);
  const proto::Sparsity& sparsity = config.sparsity();
  const int64_t steps = config.training().steps();
  sparse::SparsitySchedule schedule(ToOptions(sparsity.schedule(), steps));
  return ToOptions(config, sparse::MaskPlan(ToOptions(sparsity, steps, std::move(schedule))));
}

nn::SwapReport SwapLayers(const proto::Config& config, nn::Module& model) {
  const auto swap = [&] { return nn::SwapLinearWithSemiSparseLinear(model, BuildSwapOptions(config)); };
  const nn::SwapReport report = config.sparsity().layers().empty() ? swap() : InField("sparsity.layers", swap);
  if (!report.converted.empty()) return report;
  std::string message = "sparsity: no layer is eligible";
  for (const nn::SwapEntry& entry : report.kept_dense) {
    message += fmt::format("\n  {} [{}, {}]: {}", entry.name, entry.out_features, entry.in_features, entry.reason);
  }
  throw Error(message);
}

}  // namespace twofour::train
