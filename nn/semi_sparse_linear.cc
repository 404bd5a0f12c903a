#include "twofour/nn/semi_sparse_linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/nn/density.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/sparse/ops.h"
#include "twofour/sparse/soft_threshold.h"

namespace twofour::nn {
namespace {

constexpr std::string_view kMaskBuffer = "weight_mask";
constexpr std::string_view kMaskAgeBuffer = "weight_mask_age";
constexpr std::string_view kMaskStepBuffer = "weight_mask_step";
constexpr std::string_view kFlipRateBuffer = "weight_mask_flip_rate";
constexpr std::string_view kScaleBuffer = "weight_mask_scale";

sparse::MaskTrackerOptions TrackerOptions(const SemiSparseOptions& options) {
  return {options.plan, options.interval, options.interval_growth, options.freeze_step, options.key};
}

void RequireTiled(std::string_view layer, const Tensor& weight, bool rows_too) {
  if (!weight.defined()) throw Error(fmt::format("{}: weight is undefined", layer));
  if (weight.rank() != 2 || weight.dtype() != DType::kF32 || weight.dim(1) % sparse::kTileSize != 0 ||
      (rows_too && weight.dim(0) % sparse::kTileSize != 0)) {
    throw Error(fmt::format("{}: weight {} {}, expected f32 [out_features, in_features] in multiples of {}", layer,
                            NameOf(weight.dtype()), ToString(weight.shape()), sparse::kTileSize));
  }
}

void RequireBias(std::string_view layer, const Tensor& bias, int64_t out_features) {
  if (!bias.defined() || (bias.shape() == Shape{out_features} && bias.dtype() == DType::kF32)) return;
  throw Error(fmt::format("{}: bias {} {}, expected f32 [{}]", layer, NameOf(bias.dtype()), ToString(bias.shape()),
                          out_features));
}

}  // namespace

void Check(const MaskedDecay& decay, const FieldPath& at, Faults& faults) {
  faults.AtLeast(at("lambda"), decay.lambda, 0);
}

void Check(const SemiSparseOptions& options, const FieldPath& at, Faults& faults) {
  const sparse::SparsitySchedule& schedule = options.plan.options().schedule;
  const sparse::MaskMethod method = options.plan.options().method, rows = sparse::MaskMethod::kRows;
  Check(TrackerOptions(options), at, faults);
  Check(options.masked_decay, at.In("masked_decay"), faults);
  if (!options.soft_threshold) return;
  faults.Expect(method == rows, at("soft_threshold"), true, fmt::format("false but for {}", faults.Word(NameOf(rows))),
                fmt::format("soft_threshold with masks of method {}, expected {}", NameOf(method), NameOf(rows)));
  faults.Expect(schedule.LastChange() == 0 && schedule.ShareAt(0) == 1, at("soft_threshold"), true,
                "false beside a schedule: its scale is found once, when all is pruned",
                "soft_threshold with a schedule, expected every tile to be pruned: the scale is found once");
}

SemiSparseLinear::SemiSparseLinear(Tensor weight, Tensor bias, const SemiSparseOptions& options, std::string name)
    : options_(Checked(options, "SemiSparseLinear: ")), tracker_(TrackerOptions(options), std::move(name)) {
  RequireTiled("SemiSparseLinear", weight, /*rows_too=*/true);
  RequireBias("SemiSparseLinear", bias, weight.dim(0));
  const sparse::MaskFormat pattern = options.plan.PatternAt(0);
  if (weight.dim(1) % pattern.m != 0) {
    throw Error(fmt::format("SemiSparseLinear: weight {} with {}:{} masks, expected in_features in multiples of {}",
                            ToString(weight.shape()), pattern.n, pattern.m, pattern.m));
  }
  planner_ = std::make_shared<sparse::LinearPlanner>(weight.dim(0), weight.dim(1));
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

void SemiSparseLinear::SetOptimizerStep(int64_t step) { tracker_.SetOptimizerStep(step); }

Tensor SemiSparseLinear::SoftWeight() {
  Tensor soft = sparse::SoftThreshold(weight_, options_.plan.options().rows, tracker_.mask());
  // A weight that begins at zero has no scale yet.
  if (!scale_ && NonZeroShare(soft) > 0) scale_ = sparse::ScaleToFit(weight_, soft);
  float* const scaled = soft.mutable_data<float>();
  kernels::Scale(soft.numel(), static_cast<float>(scale_.value_or(1)), scaled, scaled);
  return soft;
}

void SemiSparseLinear::RefreshIfDue() {
  const uint64_t version = weight_.version();
  if (tracker_.Refresh(weight_, version)) packed_ = nullptr;
  if (!runs_dense() && (packed_ == nullptr || packed_version_ != version)) {
    packed_ = std::make_shared<const sparse::SemiSparseWeight>(options_.soft_threshold ? SoftWeight() : weight_,
                                                               tracker_.mask(), planner_);
    packed_version_ = version;
  }
}

Tensor SemiSparseLinear::Forward(const Tensor& x) {
  const std::shared_ptr<const sparse::SemiSparseWeight> packed = Layer().packed;
  Tensor y =
      packed == nullptr ? twofour::Linear(x, weight_, bias_) : sparse::SemiSparseLinear(x, weight_, bias_, packed);
  ObserveLinear(*this, x);
  return y;
}

sparse::SemiSparseLayer SemiSparseLinear::Layer() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  return {weight_, bias_, packed_};
}

const sparse::Mask& SemiSparseLinear::mask() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  return tracker_.mask();
}

Tensor SemiSparseLinear::EffectiveWeight() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  if (runs_dense()) return weight_.Clone();
  return options_.soft_threshold ? SoftWeight() : sparse::ApplyMask(weight_, tracker_.mask());
}

double SemiSparseLinear::RetainedL1() { return sparse::RetainedL1(weight_, mask()); }

std::vector<NamedTensor> SemiSparseLinear::Buffers() {
  const std::lock_guard lock(refreshing_);
  RefreshIfDue();
  const auto age = static_cast<double>(tracker_.AgeAt(weight_.version()));
  std::vector<NamedTensor> buffers = {
      {std::string(kMaskBuffer), tracker_.mask().ToTensor()},
      {std::string(kMaskAgeBuffer), Tensor::Scalar(age, DType::kI32)},
      {std::string(kMaskStepBuffer), Tensor::Scalar(static_cast<double>(tracker_.mask_step()), DType::kF64)},
      {std::string(kFlipRateBuffer), Tensor::Scalar(tracker_.last_flip_rate(), DType::kF64)}};
  if (scale_) buffers.push_back({std::string(kScaleBuffer), Tensor::Scalar(*scale_, DType::kF64)});
  return buffers;
}

bool SemiSparseLinear::HasBuffer(std::string_view name) const {
  return name == kMaskBuffer || name == kMaskAgeBuffer || name == kMaskStepBuffer || name == kFlipRateBuffer ||
         (name == kScaleBuffer && options_.soft_threshold);
}

void SemiSparseLinear::CheckBuffer(std::string_view name, const Tensor& tensor) const {
  if (name == kMaskBuffer) {
    const sparse::Mask mask = sparse::Mask::FromTensor(tensor);
    if (Shape{mask.rows(), mask.cols()} != weight_.shape()) {
      throw Error(fmt::format("shape {}, expected {}", ToString(tensor.shape()), ToString(weight_.shape())));
    }
    const auto tile = mask.FirstTileAboveTwoOfFour();
    if (tile && options_.plan.AlwaysTwoOfFour()) {
      throw Error(
          fmt::format("tile [{}, {}] keeps more than two of four in a row or column", tile->first, tile->second));
    }
  } else if (name == kMaskAgeBuffer) {
    if (tensor.dtype() != DType::kI32 || tensor.numel() != 1 || tensor.item() < 0) {
      throw Error("expected one i32 that is not negative");
    }
  } else if (name == kMaskStepBuffer) {
    constexpr double kMostSteps = 1e15;  // Whole numbers up to here, and far beyond.
    if (tensor.dtype() != DType::kF64 || tensor.numel() != 1 || !(tensor.item() >= 0 && tensor.item() <= kMostSteps)) {
      throw Error("expected one f64 that is a step");
    }
  } else if (name == kFlipRateBuffer) {
    if (tensor.dtype() != DType::kF64 || tensor.numel() != 1 || !(tensor.item() >= 0 && tensor.item() <= 1)) {
      throw Error("expected one f64 in [0, 1]");
    }
  } else if (name == kScaleBuffer) {
    constexpr double kMost = std::numeric_limits<float>::max();
    if (tensor.dtype() != DType::kF64 || tensor.numel() != 1 || !(tensor.item() > 0 && tensor.item() <= kMost)) {
      throw Error("expected one f64 above 0 that f32 can hold");
    }
  } else {
    Module::CheckBuffer(name, tensor);
  }
}

void SemiSparseLinear::LoadBuffer(std::string_view name, const Tensor& tensor) {
  CheckBuffer(name, tensor);
  if (name == kMaskBuffer) {
    tracker_.RestoreMask(sparse::Mask::FromTensor(tensor), weight_.version());
    packed_ = nullptr;
  } else if (name == kMaskStepBuffer) {
    tracker_.RestoreStep(static_cast<int64_t>(tensor.item()));
  } else if (name == kFlipRateBuffer) {
    tracker_.RestoreFlipRate(tensor.item());
  } else if (name == kScaleBuffer) {
    scale_ = tensor.item();
    packed_ = nullptr;
  } else {
    tracker_.RestoreAge(static_cast<uint64_t>(tensor.item()), weight_.version());
  }
}

void SemiSparseLinear::ResetBuffers() {
  tracker_.RestoreMask({}, 0);
  packed_ = nullptr;
  scale_.reset();
}

SemiSparseActivationLinear::SemiSparseActivationLinear(Tensor weight, Tensor bias, sparse::MaskMethod method,
                                                       std::string name)
    : method_(method), name_(std::move(name)) {
  RequireTiled("SemiSparseActivationLinear", weight, /*rows_too=*/false);
  RequireBias("SemiSparseActivationLinear", bias, weight.dim(0));
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

Tensor SemiSparseActivationLinear::Forward(const Tensor& x) {
  Tensor y = twofour::Linear(sparse::PruneTiles(x, method_, name_), weight_, bias_);
  ObserveLinear(*this, x);
  return y;
}

}  // namespace twofour::nn
