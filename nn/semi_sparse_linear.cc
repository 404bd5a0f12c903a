#include "twofour/nn/semi_sparse_linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/nn/density.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/ops.h"
#include "twofour/sparse/soft_threshold.h"

namespace twofour::nn {
namespace {

constexpr char kWeight[] = "weight";
constexpr char kScale[] = "weight_mask_scale";

sparse::MaskTrackerOptions TrackerOptions(const SemiSparseOptions& options) {
  return {.plan = options.plan,
          .interval = options.interval,
          .interval_growth = options.interval_growth,
          .freeze_step = options.freeze_step,
          .key = options.key,
          .searches = options.searches};
}

void RequireFits(const char* function, const sparse::Mask& mask, const Shape& weight) {
  if (Shape{mask.rows(), mask.cols()} == weight) return;
  throw Error(fmt::format("{}: a mask [{}, {}], expected {}, as the weight has it", function, mask.rows(), mask.cols(),
                          ToString(weight)));
}

/// Throws Error unless the weight is f32 [a multiple of out_unit, a multiple of in_unit].
void RequireWeight(std::string_view layer, const Tensor& weight, int64_t out_unit, int64_t in_unit) {
  ops::RequireDType(layer, "weight", weight, DType::kF32);
  if (weight.rank() == 2 && weight.dim(0) % out_unit == 0 && weight.dim(1) % in_unit == 0) return;
  const int64_t unit = std::max(out_unit, in_unit);
  throw Error(fmt::format("{}: weight {} {}, expected f32 [out_features, in_features]{}", layer, NameOf(weight.dtype()),
                          ToString(weight.shape()), unit > 1 ? fmt::format(" in multiples of {}", unit) : ""));
}

void RequireBias(std::string_view layer, const Tensor& bias, int64_t out_features) {
  if (!bias.defined() || (bias.shape() == Shape{out_features} && bias.dtype() == DType::kF32)) return;
  throw Error(fmt::format("{}: bias {} {}, expected f32 [{}]", layer, NameOf(bias.dtype()), ToString(bias.shape()),
                          out_features));
}

}  // namespace

int64_t SizeUnitOf(const sparse::MaskPlan& plan) { return plan.PatternAt(0).size_unit(); }

void Check(const MaskedDecay& decay, const FieldPath& at, Faults& faults) {
  faults.FloatAtLeast(at("lambda"), decay.lambda, 0);
}

void Check(const SemiSparseOptions& options, const FieldPath& at, Faults& faults) {
  const sparse::SparsitySchedule& schedule = options.plan.options().schedule;
  const sparse::MaskMethod method = options.plan.options().method, rows = sparse::MaskMethod::kRows;
  Check(TrackerOptions(options), at, faults);
  faults.Expect(!options.freeze_gradient || options.freeze_step, at("freeze_gradient"), true, "false without freeze",
                "freeze_gradient without freeze_step, expected a step from which masks are frozen");
  Check(options.masked_decay, at.In("masked_decay"), faults);
  if (options.score != sparse::MaskScore::kMagnitude) {
    const bool ignored = method == sparse::MaskMethod::kRandom || method == sparse::MaskMethod::kSignedGreedy;
    const std::string other = ignored ? faults.Word(NameOf(method)) : "soft_threshold";
    faults.Expect(!ignored && !options.soft_threshold, at("score"), faults.Word(NameOf(options.score)),
                  fmt::format("{} beside {}", faults.Word(NameOf(sparse::MaskScore::kMagnitude)), other));
  }
  if (!options.soft_threshold) return;
  faults.Expect(method == rows, at("soft_threshold"), true, fmt::format("false but for {}", faults.Word(NameOf(rows))),
                fmt::format("soft_threshold with masks of method {}, expected {}", NameOf(method), NameOf(rows)));
  faults.Expect(schedule.LastChange() == 0 && schedule.ShareAt(0) == 1, at("soft_threshold"), true,
                "false beside a schedule: its scale is found once, when all is pruned",
                "soft_threshold with a schedule, expected every tile to be pruned: the scale is found once");
}

SemiSparseLinear::SemiSparseLinear(Tensor weight, Tensor bias, const SemiSparseOptions& options, std::string name)
    : options_(Checked(options, "SemiSparseLinear: ")), tracker_(TrackerOptions(options), std::move(name)) {
  RequireWeight("SemiSparseLinear", weight, SizeUnitOf(options.plan), SizeUnitOf(options.plan));
  RequireBias("SemiSparseLinear", bias, weight.dim(0));
  planner_ = std::make_shared<sparse::LinearPlanner>(weight.dim(0), weight.dim(1));
  statistics_ = TrainingStatistics(options.score, weight.shape());
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

void SemiSparseLinear::SetOptimizerStep(int64_t step) { tracker_.SetOptimizerStep(step); }

void SemiSparseLinear::SearchAnew() { tracker_.SearchAnew(); }

void SemiSparseLinear::SetMask(sparse::Mask mask) {
  RequireFits("SetMask", mask, weight_.shape());
  tracker_.GiveMask(std::move(mask), weight_.version());
  packed_ = nullptr;
}

void SemiSparseLinear::AdoptMask(sparse::Mask found) {
  RequireFits("AdoptMask", found, weight_.shape());
  tracker_.Adopt(std::move(found), weight_.version());
  packed_ = nullptr;
}

Tensor SemiSparseLinear::SoftWeight() {
  Tensor soft = sparse::SoftThreshold(weight_, options_.plan.options().rows, tracker_.mask());
  // A weight that begins at zero has no scale yet.
  if (!scale_ && NonZeroShare(soft) > 0) scale_ = sparse::ScaleToFit(weight_, soft);
  float* const scaled = soft.mutable_data<float>();
  kernels::Scale(soft.numel(), static_cast<float>(scale_.value_or(1)), scaled, scaled);
  return soft;
}

void SemiSparseLinear::RefreshIfDue() {
  const Tensor dense = DenseWeight();
  if (tracker_.IsDue(weight_.version())) {
    tracker_.Refresh(statistics_.Scores(dense, options_.key, tracker_.name()), weight_.version());
    packed_ = nullptr;
  }
  if (runs_dense()) return;
  if (packed_ == nullptr || !packed_from_.IsSameStorage(dense) || packed_version_ != dense.version()) {
    const std::optional<sparse::VnmPattern>& vnm = tracker_.vnm();
    packed_ = std::make_shared<const sparse::SemiSparseWeight>(
        options_.soft_threshold ? SoftWeight() : dense, tracker_.mask(), planner_,
        vnm ? std::optional(sparse::MaskFormat::Vnm(*vnm)) : std::nullopt);
    packed_from_ = dense;
    packed_version_ = dense.version();
  }
}

Tensor SemiSparseLinear::Forward(const Tensor& x) {
  const auto [weight, bias, packed] = Layer();
  Tensor y = rounding_ != nullptr ? rounding_->Forward(x, weight, bias, packed, training())
             : packed == nullptr  ? ops::Linear(x, weight, bias)
                                  : sparse::MaskedLinear(x, weight, bias, packed);
  ObserveLinear(*this, x);
  return y;
}

void SemiSparseLinear::OnStep(uint64_t step) {
  if (rounding_ != nullptr) rounding_->SetStep(step);
}

sparse::MaskedLinearOperand SemiSparseLinear::Layer() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  if (runs_dense()) return {WeightInGraph(nullptr), bias_, nullptr};
  return {WeightInGraph(&tracker_.mask()), bias_, packed_};
}

const sparse::Mask& SemiSparseLinear::mask() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  return tracker_.mask();
}

Tensor SemiSparseLinear::EffectiveWeight() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  const Tensor dense = DenseWeight();
  sparse::RequireFinite(dense, tracker_.name());  // A search checks this too, but none may have been due.
  if (runs_dense()) return dense.Clone();
  return options_.soft_threshold ? SoftWeight() : sparse::ApplyMask(dense, tracker_.mask());
}

double SemiSparseLinear::RetainedL1() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  return sparse::RetainedL1(DenseWeight(), tracker_.mask());
}

std::vector<NamedTensor> SemiSparseLinear::Buffers() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  std::vector<NamedTensor> buffers;
  tracker_.AppendState(kWeight, weight_.version(), buffers);
  if (scale_) buffers.push_back({kScale, Tensor::Scalar(*scale_, DType::kF64)});
  statistics_.AppendState(kWeight, buffers);
  return buffers;
}

StateCommit SemiSparseLinear::ReadBuffers(StateReader& reader, const std::string& prefix) {
  auto restore_mask = tracker_.ReadState(prefix + kWeight, weight_.shape(), reader);
  std::optional<double> scale;
  if (options_.soft_threshold) {
    constexpr double kLeast = std::numeric_limits<double>::denorm_min(), kMost = std::numeric_limits<float>::max();
    scale =
        reader.TakeScalar(prefix + kScale, DType::kF64, kLeast, kMost, "expected one f64 above 0 that f32 can hold");
  }
  auto restore_statistics = statistics_.ReadState(prefix + kWeight, reader);
  return [this, scale, restore_mask = std::move(restore_mask), restore_statistics = std::move(restore_statistics)] {
    restore_mask(weight_.version());
    packed_ = nullptr;
    scale_ = scale;
    restore_statistics();
  };
}

void CheckActivationMethod(sparse::MaskMethod method, const std::string& path, Faults& faults) {
  const bool has_search = method == sparse::MaskMethod::kExact || method == sparse::MaskMethod::kGreedy;
  faults.Expect(has_search, path, faults.Word(NameOf(method)),
                fmt::format("{} or {} for activations", faults.Word(NameOf(sparse::MaskMethod::kExact)),
                            faults.Word(NameOf(sparse::MaskMethod::kGreedy))));
}

SemiSparseActivationLinear::SemiSparseActivationLinear(Tensor weight, Tensor bias, sparse::MaskMethod method,
                                                       std::string name)
    : method_(method), name_(std::move(name)) {
  Faults faults("SemiSparseActivationLinear: ");
  CheckActivationMethod(method, "method", faults);
  faults.Throw();
  RequireWeight("SemiSparseActivationLinear", weight, 1, sparse::kTileSize);
  RequireBias("SemiSparseActivationLinear", bias, weight.dim(0));
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

Tensor SemiSparseActivationLinear::Forward(const Tensor& x) {
  Tensor y = ops::Linear(sparse::PruneTiles(x, method_, name_), weight_, bias_);
  ObserveLinear(*this, x);
  return y;
}

}  // namespace twofour::nn
