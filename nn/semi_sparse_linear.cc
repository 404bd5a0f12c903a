#include "twofour/nn/semi_sparse_linear.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/nn/density.h"
#include "twofour/sparse/ops.h"

namespace twofour::nn {
namespace {

constexpr std::string_view kMaskBuffer = "weight_mask";
constexpr std::string_view kMaskAgeBuffer = "weight_mask_age";
constexpr std::string_view kMaskStepBuffer = "weight_mask_step";
constexpr std::string_view kFlipRateBuffer = "weight_mask_flip_rate";

void RequireTiled(std::string_view layer, const Tensor& weight, bool rows_too) {
  if (weight.rank() != 2 || weight.dtype() != DType::kF32 || weight.dim(1) % sparse::kTileSize != 0 ||
      (rows_too && weight.dim(0) % sparse::kTileSize != 0)) {
    throw Error(fmt::format("{}: weight {} {}, expected f32 [out_features, in_features] in multiples of {}", layer,
                            NameOf(weight.dtype()), ToString(weight.shape()), sparse::kTileSize));
  }
}

}  // namespace

SemiSparseLinear::SemiSparseLinear(Tensor weight, Tensor bias, const SemiSparseOptions& options, std::string name)
    : options_(options), name_(std::move(name)) {
  RequireTiled("SemiSparseLinear", weight, /*rows_too=*/true);
  if (options.interval < 1) {
    throw Error(fmt::format("SemiSparseLinear: interval is {}, must be at least 1", options.interval));
  }
  if (!(options.interval_growth >= 0 && options.interval_growth <= 1)) {
    throw Error(fmt::format("SemiSparseLinear: interval_growth is {}, expected 0 to 1", options.interval_growth));
  }
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

bool SemiSparseLinear::IsDue() const {
  if (mask_.empty()) return true;
  if (options_.freeze_step && step_ >= *options_.freeze_step) return false;
  if (!options_.plan.AsksTheSame(mask_step_, step_)) return true;
  const auto grown = static_cast<int64_t>(options_.interval_growth * static_cast<double>(step_));
  return weight_.version() - mask_version_ >= static_cast<uint64_t>(std::max(options_.interval, grown));
}

void SemiSparseLinear::RefreshIfDue() {
  const uint64_t version = weight_.version();
  if (IsDue()) {
    sparse::Mask found = options_.plan.Find(weight_, step_, options_.key, name_);
    flip_rate_ = mask_.empty() ? 0.0 : sparse::FlipRate(mask_, found);
    mask_ = std::move(found);
    mask_version_ = version;
    mask_step_ = step_;
    packed_ = nullptr;
  }
  if (packed_ == nullptr || packed_version_ != version) {
    packed_ = std::make_shared<const sparse::SemiSparseWeight>(weight_, mask_);
    packed_version_ = version;
  }
}

Tensor SemiSparseLinear::Forward(const Tensor& x) {
  RefreshIfDue();
  Tensor y = sparse::SemiSparseLinear(x, weight_, bias_, packed_);
  MeasureInput(x);
  return y;
}

void SemiSparseLinear::MeasureInput(const Tensor& x) {
  if (measure_input_density_ && x.numel() > 0) input_density_ = NonZeroShare(x);
}

sparse::SemiSparseLayer SemiSparseLinear::Layer() {
  RefreshIfDue();
  return {weight_, bias_, packed_};
}

const sparse::Mask& SemiSparseLinear::mask() {
  RefreshIfDue();
  return mask_;
}

double SemiSparseLinear::RetainedL1() { return sparse::RetainedL1(weight_, mask()); }

std::vector<NamedTensor> SemiSparseLinear::Buffers() {
  RefreshIfDue();
  const double age = static_cast<double>(weight_.version() - mask_version_);
  return {{std::string(kMaskBuffer), mask_.ToTensor()},
          {std::string(kMaskAgeBuffer), Tensor::Scalar(age, DType::kI32)},
          {std::string(kMaskStepBuffer), Tensor::Scalar(static_cast<double>(mask_step_), DType::kF64)},
          {std::string(kFlipRateBuffer), Tensor::Scalar(flip_rate_, DType::kF64)}};
}

bool SemiSparseLinear::HasBuffer(std::string_view name) const {
  return name == kMaskBuffer || name == kMaskAgeBuffer || name == kMaskStepBuffer || name == kFlipRateBuffer;
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
  } else {
    Module::CheckBuffer(name, tensor);
  }
}

void SemiSparseLinear::LoadBuffer(std::string_view name, const Tensor& tensor) {
  CheckBuffer(name, tensor);
  if (name == kMaskBuffer) {
    mask_ = sparse::Mask::FromTensor(tensor);
    mask_version_ = weight_.version();
    packed_ = nullptr;
  } else if (name == kMaskStepBuffer) {
    mask_step_ = static_cast<int64_t>(tensor.item());
  } else if (name == kFlipRateBuffer) {
    flip_rate_ = tensor.item();
  } else {
    // Unsigned arithmetic wraps: only the difference of two versions is ever looked at.
    mask_version_ = weight_.version() - static_cast<uint64_t>(tensor.item());
  }
}

void SemiSparseLinear::ResetBuffers() {
  mask_ = sparse::Mask();
  mask_step_ = 0;
  packed_ = nullptr;
  flip_rate_ = 0;
}

SemiSparseActivationLinear::SemiSparseActivationLinear(Tensor weight, Tensor bias, sparse::MaskAlgorithm algorithm,
                                                       std::string name)
    : algorithm_(algorithm), name_(std::move(name)) {
  RequireTiled("SemiSparseActivationLinear", weight, /*rows_too=*/false);
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

Tensor SemiSparseActivationLinear::Forward(const Tensor& x) {
  return twofour::Linear(sparse::PruneTiles(x, algorithm_, name_), weight_, bias_);
}

}  // namespace twofour::nn
