#include "twofour/nn/training_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/prune/gradient_statistics.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::nn {
namespace {

/// MaskPlan::Find draws at steps 0 and 1 of a layer's key.
constexpr uint64_t kStepOfScores = 2;

/// Makes value(i) count in the running average `average`.
template <typename Value>
void Average(const Shape& shape, const Value& value, Tensor& average) {
  const bool first = !average.defined();
  if (first) average = Tensor::Empty(shape, DType::kF64);
  double* const data = average.mutable_data<double>();
  ParallelFor(average.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    constexpr double kDecay = TrainingStatistics::kDecay;
    for (int64_t i = begin; i < end; ++i) data[i] = first ? value(i) : kDecay * data[i] + (1 - kDecay) * value(i);
  });
}

/// The averages that a state dict holds; undefined where there are none or they cannot be.
Tensor TakeAverages(StateReader& reader, const std::string& name, const Shape& shape, bool products) {
  const Tensor averages = reader.Take(name);
  if (!averages.defined()) return {};
  bool fits = averages.dtype() == DType::kF64 && averages.shape() == shape;
  if (fits) {
    const double* const data = averages.data<double>();
    const int64_t cols = averages.cols();
    for (int64_t i = 0; i < averages.numel(); ++i) {
      const bool may_be_negative = products && i / cols != i % cols;
      fits = fits && std::isfinite(data[i]) && (may_be_negative || data[i] >= 0);
    }
  }
  if (fits) return averages.Clone();
  reader.Fault(name, fmt::format("{}, expected f64 {} that are finite and not negative{}", Describe(averages),
                                 ToString(shape), products ? " on the diagonal" : ""));
  return {};
}

}  // namespace

TrainingStatistics::TrainingStatistics(sparse::MaskScore score, const Shape& shape)
    : score_(score), needs_(sparse::NeedsOf(score)), shape_(shape) {}

sparse::InputStatistics::Extent TrainingStatistics::extent() const {
  return needs_.gram ? sparse::InputStatistics::Extent::kGram : sparse::InputStatistics::Extent::kFeatures;
}

Shape TrainingStatistics::InputsShape() const { return needs_.gram ? Shape{shape_[1], shape_[1]} : Shape{shape_[1]}; }

void TrainingStatistics::AddInputs(const sparse::InputStatistics& step) {
  if (needs_.inputs && step.samples() > 0) AddInputSums(InputSumsOf(step));
}

int64_t TrainingStatistics::InputSumsSize() const { return needs_.inputs ? 1 + NumElements(InputsShape()) : 0; }

Tensor TrainingStatistics::InputSumsOf(const sparse::InputStatistics& inputs) const {
  if (inputs.in_features() != shape_[1]) {
    throw Error(fmt::format("TrainingStatistics: inputs of {} features, expected {}", inputs.in_features(), shape_[1]));
  }
  const sparse::InputSums& sums = inputs.sums();
  const Tensor& needed = needs_.gram ? inputs.Gram() : needs_.magnitudes ? sums.magnitudes : sums.squares;
  Tensor result = Tensor::Empty({InputSumsSize()}, DType::kF64);
  double* const to = result.mutable_data<double>();
  to[0] = static_cast<double>(inputs.samples());
  std::copy_n(needed.data<double>(), needed.numel(), to + 1);
  return result;
}

void TrainingStatistics::AddInputSums(const Tensor& sums) {
  ops::RequireLike("TrainingStatistics", "sums of inputs", sums, DType::kF64, {InputSumsSize()});
  const double* const from = sums.data<double>();
  const double count = needs_.magnitudes ? from[0] : 1;
  Average(
      InputsShape(), [&](int64_t i) { return from[1 + i] / count; }, inputs_);
}

void TrainingStatistics::AddGradient(const Tensor& gradient) {
  if (!needs_.gradients) return;
  ops::RequireLike("TrainingStatistics", "gradient", gradient, DType::kF32, shape_);
  const float* const from = gradient.data<float>();
  if (kernels::FindNonFinite(gradient.numel(), from) >= 0) return;
  const bool magnitudes = needs_.magnitudes;
  Average(
      shape_,
      [from, magnitudes](int64_t i) {
        const auto g = static_cast<double>(from[i]);
        return magnitudes ? std::fabs(g) : g * g;
      },
      gradients_);
}

sparse::InputStatistics TrainingStatistics::KnownInputs() const {
  Tensor known = inputs_;
  if (!known.defined()) {
    known = Tensor::Full(InputsShape(), needs_.gram ? 0 : 1, DType::kF64);
    for (int64_t i = 0; needs_.gram && i < shape_[1]; ++i) known.mutable_data<double>()[i * (shape_[1] + 1)] = 1;
  }
  sparse::InputSums sums;
  (needs_.gram ? sums.gram : needs_.magnitudes ? sums.magnitudes : sums.squares) = known;
  return {shape_[1], 1, std::move(sums)};
}

Tensor TrainingStatistics::Scores(const Tensor& weight, const RandomKey& key, std::string_view name) const {
  if (score_ == sparse::MaskScore::kMagnitude || (needs_.gradients && !gradients_.defined())) return weight;
  const sparse::InputStatistics inputs = KnownInputs();
  sparse::GradientSums sums;
  (needs_.magnitudes ? sums.magnitudes : sums.squares) = gradients_;
  const sparse::GradientStatistics gradients(shape_, 1, std::move(sums));
  return sparse::ScoresOf(
      score_, weight, {.inputs = &inputs, .gradients = &gradients, .key = {key.seed, key.stream, kStepOfScores}}, name);
}

std::string TrainingStatistics::InputsName(const std::string& weight) const {
  return weight + (needs_.gram         ? "_mask_input_products"
                   : needs_.magnitudes ? "_mask_input_magnitudes"
                                       : "_mask_input_squares");
}

std::string TrainingStatistics::GradientsName(const std::string& weight) const {
  return weight + (needs_.magnitudes ? "_mask_gradient_magnitudes" : "_mask_gradient_squares");
}

void TrainingStatistics::AppendState(const std::string& weight, std::vector<NamedTensor>& state) const {
  // Copies, because the averages go on in place.
  if (inputs_.defined()) state.push_back({InputsName(weight), inputs_.Clone()});
  if (gradients_.defined()) state.push_back({GradientsName(weight), gradients_.Clone()});
}

std::function<void()> TrainingStatistics::ReadState(const std::string& weight, StateReader& reader) {
  Tensor inputs, gradients;
  if (needs_.inputs) inputs = TakeAverages(reader, InputsName(weight), InputsShape(), needs_.gram);
  if (needs_.gradients) gradients = TakeAverages(reader, GradientsName(weight), shape_, false);
  return [this, inputs, gradients] {
    inputs_ = inputs;
    gradients_ = gradients;
  };
}

}  // namespace twofour::nn
