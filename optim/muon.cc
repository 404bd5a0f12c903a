#include "twofour/optim/muon.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/optim/newton_schulz.h"

namespace twofour::optim {

void Check(const MuonOptions& options, const FieldPath& at, Faults& faults) {
  faults.Probability(at("momentum"), options.momentum);
  faults.InRange(at("ns_steps"), options.ns_steps, 1, 100);
  faults.FloatAtLeast(at("weight_decay"), options.weight_decay, 0);
  CheckLr(options.lr, at("lr"), faults);
}

Muon::Muon(std::vector<ParameterGroup> groups, const MuonOptions& options)
    : SlotOptimizer(std::move(groups), options.lr, {{"momentum_buffer"}}, FaultsOf(options, "Muon: ", " ")),
      options_(options) {
  for (const NamedTensor& parameter : Parameters()) {
    if (parameter.tensor.rank() != 2) {
      throw Error(fmt::format("Muon: parameter '{}' is {}, expected a matrix [rows, cols]", parameter.name,
                              ToString(parameter.tensor.shape())));
    }
  }
}

Muon::Muon(const std::vector<Tensor>& parameters, const MuonOptions& options)
    : Muon(std::vector<ParameterGroup>{{NumberParameters(parameters), options.weight_decay}}, options) {}

std::vector<double> Muon::UpdateCosts() const {
  // Each Newton-Schulz step takes two products with the whole matrix and one of its shorter side. While AdamW updates
  // an element, which memory limits, products make about 50 floating-point operations.
  std::vector<double> costs;
  for (const NamedTensor& parameter : Parameters()) {
    const auto rows = static_cast<double>(parameter.tensor.dim(0)), cols = static_cast<double>(parameter.tensor.dim(1));
    const double side = std::min(rows, cols), elements = rows * cols;
    costs.push_back(elements + options_.ns_steps * (4 * side * elements + 2 * side * side * side) / 50);
  }
  return costs;
}

void Muon::UpdateParameter(const Update& update) {
  if (update.size == 0) return;
  const auto keep = static_cast<float>(options_.momentum), gain = static_cast<float>(1.0 - options_.momentum);
  float* const buffer = update.slots[0];
  kernels::Scale(update.size, keep, buffer, buffer);
  kernels::Axpy(update.size, gain, update.grad, buffer);

  Tensor direction = Tensor::Empty(update.shape);
  float* const d = direction.mutable_data<float>();
  if (options_.nesterov) {
    kernels::Scale(update.size, gain, update.grad, d);
    kernels::Axpy(update.size, keep, buffer, d);
  } else {
    std::copy_n(buffer, update.size, d);
  }
  const Tensor orthogonal = Orthogonalize(direction, options_.ns_steps);

  const double height = static_cast<double>(update.shape[0]) / static_cast<double>(update.shape[1]);
  const double rate = update.lr * std::sqrt(std::max(1.0, height));
  kernels::Scale(update.size, static_cast<float>(1.0 - update.lr * update.weight_decay), update.parameter,
                 update.parameter);
  kernels::Axpy(update.size, static_cast<float>(-rate), orthogonal.data<float>(), update.parameter);
}

}  // namespace twofour::optim
