#include "twofour/train/telemetry.h"

#include <cmath>
#include <limits>

#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_statistics.h"

namespace twofour::train {

Telemetry::Telemetry(nn::Module& model, int64_t every_steps)
    : every_steps_(every_steps), layers_(nn::FindSemiSparseLinears(model)) {
  model.VisitModules([this](const std::string& name, nn::Module& module) {
    if (const auto* mlp = dynamic_cast<const nn::Mlp*>(&module)) mlps_.emplace_back(name, mlp);
  });
  for (const auto& [name, layer] : layers_) densities_[layer];
  for (const auto& [name, mlp] : mlps_) densities_[&mlp->c_proj()];
}

bool Telemetry::Measures(const nn::StepContext& step) const {
  return every_steps_ > 0 && (step.step + 1) % every_steps_ == 0;
}

nn::ForwardObserver* Telemetry::Observer(const nn::StepContext& step) { return Measures(step) ? this : nullptr; }

void Telemetry::AfterBackward(const nn::StepContext& step) {
  if (!Measures(step)) return;
  masked_gradient_shares_.clear();
  for (const auto& [name, layer] : layers_) {
    const Tensor grad = layer->weight().grad();
    masked_gradient_shares_.push_back(grad.defined() ? 1 - sparse::RetainedL1(grad, layer->mask_in_force()) : 0.0);
  }
}

void Telemetry::OnLinear(const nn::Module& linear, const nn::LinearInput& input) {
  if (const auto found = densities_.find(&linear); found != densities_.end()) found->second = input.Density();
}

std::vector<const nn::Module*> Telemetry::Observed() const {
  std::vector<const nn::Module*> linears;
  for (const auto& [name, layer] : layers_) linears.push_back(layer);
  for (const auto& [name, mlp] : mlps_) linears.push_back(&mlp->c_proj());
  return linears;
}

Telemetry::Numbers Telemetry::numbers() const {
  Numbers numbers{.masked_gradient_shares = masked_gradient_shares_};
  for (const nn::Module* linear : Observed()) {
    numbers.densities.push_back(densities_.at(linear).value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return numbers;
}

void Telemetry::SetNumbers(const Numbers& numbers) {
  masked_gradient_shares_ = numbers.masked_gradient_shares;
  const std::vector<const nn::Module*> linears = Observed();
  for (size_t i = 0; i < linears.size(); ++i) {
    const double density = numbers.densities[i];
    densities_.at(linears[i]) = std::isnan(density) ? std::nullopt : std::optional(density);
  }
}

double Telemetry::DensityOf(const nn::Module& linear) const { return densities_.at(&linear).value_or(1.0); }

void Telemetry::Record(int64_t step, MetricSink& sink) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto& [name, layer] = layers_[i];
    const sparse::MaskStatistics statistics = sparse::StatisticsOf(layer->weight(), layer->mask());
    sink.OnSparsity({.step = step,
                     .layer = name,
                     .retained_l1 = layer->RetainedL1(),
                     .flip_rate = layer->flip_rate(),
                     .activation_density = DensityOf(*layer),
                     .sparsity = statistics.sparsity,
                     .tiles_keeping_seven = statistics.tiles_keeping_seven,
                     .dead_rows = statistics.dead_rows,
                     .dead_columns = statistics.dead_columns,
                     .masked_gradient_share = masked_gradient_shares_[i],
                     .column_flip_rate = layer->column_flip_rate()});
  }
  for (const auto& [name, mlp] : mlps_) sink.OnActivation({step, name, DensityOf(mlp->c_proj())});
}

}  // namespace twofour::train
