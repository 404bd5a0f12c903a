#include "twofour/nn/semi_sparse_linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/nn/density.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/sparse/ops.h"
#include "twofour/sparse/soft_threshold.h"

namespace twofour::nn {
namespace {

constexpr char kWeight[] = "weight";
constexpr char kScale[] = "weight_mask_scale";

void RequireTiled(std::string_view layer, const Tensor& weight, bool rows_too) {
  ops::RequireDType(layer, "weight", weight, DType::kF32);
  if (weight.rank() != 2 || weight.dim(1) % sparse::kTileSize != 0 ||
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

SemiSparseLinear::SemiSparseLinear(Tensor weight, Tensor bias, const SemiSparseOptions& options, std::string name)
    : options_(options),
      tracker_({options.plan, options.interval, options.interval_growth, options.freeze_step, options.key},
               std::move(name)) {
  RequireTiled("SemiSparseLinear", weight, /*rows_too=*/true);
  RequireBias("SemiSparseLinear", bias, weight.dim(0));
  if (!(options.masked_decay.lambda >= 0 && std::isfinite(options.masked_decay.lambda))) {
    throw Error(fmt::format("SemiSparseLinear: masked_decay.lambda is {}, expected a finite number of at least 0",
                            options.masked_decay.lambda));
  }
  if (options.soft_threshold && options.plan.PatternAt(0).kind != sparse::MaskFormat::Kind::kRows) {
    throw Error(fmt::format("SemiSparseLinear: soft_threshold with masks of method {}, expected rows",
                            NameOf(options.plan.options().method)));
  }
  const sparse::SparsitySchedule& schedule = options.plan.options().schedule;
  if (options.soft_threshold && (schedule.LastChange() > 0 || schedule.ShareAt(0) != 1)) {
    throw Error(
        "SemiSparseLinear: soft_threshold with a schedule, expected every tile to be pruned: the scale is found once");
  }
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
  std::vector<NamedTensor> buffers;
  tracker_.AppendState(kWeight, weight_.version(), buffers);
  if (scale_) buffers.push_back({kScale, Tensor::Scalar(*scale_, DType::kF64)});
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
  return [this, scale, restore_mask = std::move(restore_mask)] {
    restore_mask(weight_.version());
    packed_ = nullptr;
    scale_ = scale;
  };
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
