#include "twofour/nn/sparse_training.h"

#include <algorithm>

#include "twofour/sparse/mask.h"

namespace twofour::nn {
namespace {

/// Whether the layer has masked anything in the last forward pass.
bool Masks(const SemiSparseLinear& layer) { return !layer.mask_in_force().empty() && !layer.runs_dense(); }

bool Decays(const SemiSparseLinear& layer, MaskedDecay::Place place) {
  const MaskedDecay& decay = layer.options().masked_decay;
  return decay.lambda > 0 && decay.place == place && Masks(layer);
}

/// Whether the layer searches for masks by its inputs in steps to come. The mask of a freeze step is found in its first
/// forward pass.
bool TakesInputs(const SemiSparseLinear& layer) { return layer.statistics().needs().inputs && !layer.frozen(); }
bool TakesGradients(const SemiSparseLinear& layer) { return layer.statistics().needs().gradients && !layer.frozen(); }

StepInputs::Extents ExtentsOf(const std::vector<NamedSemiSparseLinear>& layers) {
  StepInputs::Extents extents;
  for (const auto& [name, layer] : layers) {
    if (layer->statistics().needs().inputs) extents.emplace(layer, layer->statistics().extent());
  }
  return extents;
}

}  // namespace

bool DropsMaskedGradient(const SemiSparseLinear& layer) {
  return layer.options().freeze_gradient && layer.frozen() && Masks(layer);
}

std::vector<int64_t> SparseTraining::InputSumsSizes() const {
  std::vector<int64_t> sizes;
  for (const auto& [name, layer] : layers_) {
    sizes.push_back(TakesInputs(*layer) ? layer->statistics().InputSumsSize() : 0);
  }
  return sizes;
}

std::vector<Tensor> SparseTraining::TakeInputSums() {
  std::vector<Tensor> sums;
  for (const auto& [name, layer] : layers_) {
    const sparse::InputStatistics* const inputs = TakesInputs(*layer) ? inputs_.Of(*layer) : nullptr;
    const bool any = inputs != nullptr && inputs->samples() > 0;
    sums.push_back(any ? layer->statistics().InputSumsOf(*inputs) : Tensor());
  }
  inputs_.Clear();
  return sums;
}

SparseTraining::SparseTraining(Module& model) : layers_(FindSemiSparseLinears(model)), inputs_(ExtentsOf(layers_)) {}

void SparseTraining::SetOptimizerStep(int64_t step) {
  for (const auto& [name, layer] : layers_) layer->SetOptimizerStep(step);
}

void SparseTraining::DecayGradients(MaskedDecay::Place place) {
  for (const auto& [name, layer] : layers_) {
    Tensor grad = layer->weight().grad();
    if (!grad.defined() || !Decays(*layer, place)) continue;
    sparse::AddDropped(layer->options().masked_decay.lambda, layer->weight(), layer->mask_in_force(), grad);
  }
}

void SparseTraining::BeforeStep(const StepContext& step) { SetOptimizerStep(step.step); }

ForwardObserver* SparseTraining::Observer(const StepContext& /*step*/) {
  inputs_.Clear();  // Those of a step that failed.
  input_sums_.clear();
  const bool any = std::ranges::any_of(layers_, [](const auto& named) { return TakesInputs(*named.layer); });
  return any ? &inputs_ : nullptr;
}

void SparseTraining::AfterBackward(const StepContext& /*step*/) {
  if (input_sums_.empty()) input_sums_ = TakeInputSums();
  for (size_t i = 0; i < layers_.size(); ++i) {
    SemiSparseLinear* const layer = layers_[i].layer;
    if (input_sums_[i].defined()) layer->statistics().AddInputSums(input_sums_[i]);
    const Tensor grad = layer->weight().grad();
    if (TakesGradients(*layer) && grad.defined()) layer->statistics().AddGradient(grad);
  }
  for (const auto& [name, layer] : layers_) {
    Tensor grad = layer->weight().grad();
    if (!grad.defined() || !DropsMaskedGradient(*layer)) continue;
    sparse::ApplyMaskInPlace(layer->mask_in_force(), grad);
  }
  DecayGradients(MaskedDecay::Place::kGradient);
}

void SparseTraining::BeforeUpdate(const StepContext& /*step*/) { DecayGradients(MaskedDecay::Place::kMoments); }

void SparseTraining::AfterUpdate(const StepContext& step) {
  for (const auto& [name, layer] : layers_) {
    if (!Decays(*layer, MaskedDecay::Place::kWeight)) continue;
    Tensor weight = layer->weight();
    if (!weight.grad().defined()) continue;  // The optimizer skips it, too.
    sparse::AddDropped(-step.lr * layer->options().masked_decay.lambda, weight, layer->mask_in_force(), weight);
  }
  SetOptimizerStep(step.step + 1);
}

void SparseTraining::SearchAnew() {
  for (const auto& [name, layer] : layers_) layer->SearchAnew();
}

void SparseTraining::RefreshMasks() {
  for (const auto& [name, layer] : layers_) layer->mask();
}

}  // namespace twofour::nn
