#include "twofour/optim/sgd.h"

#include "twofour/core/kernels/elements/optimizer_updates.h"
#include "twofour/optim/lr_schedule.h"

namespace twofour::optim {

void Check(const SgdOptions& options, const FieldPath& at, Faults& faults) {
  faults.Probability(at("momentum"), options.momentum);
  faults.FloatAtLeast(at("weight_decay"), options.weight_decay, 0);
  if (faults.IsSound(at("momentum"))) {
    faults.Expect(!options.nesterov || options.momentum > 0, at("nesterov"), options.nesterov,
                  "a momentum above 0 with it");
  }
  CheckLr(options.lr, at("lr"), faults);
}

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : SlotOptimizer(std::move(groups), options.lr,
                    options.momentum != 0.0 ? std::vector<Slot>{{"momentum_buffer"}} : std::vector<Slot>{},
                    FaultsOf(options, "Sgd: ", " ")),
      options_(options) {}

Sgd::Sgd(const std::vector<Tensor>& parameters, const SgdOptions& options)
    : Sgd(std::vector<ParameterGroup>{{NumberParameters(parameters), options.weight_decay}}, options) {}

void Sgd::UpdateParameter(const Update& update) {
  const kernels::SgdFactors factors{
      .rate = static_cast<float>(update.lr),
      .momentum = static_cast<float>(options_.momentum),
      .weight_decay = static_cast<float>(update.weight_decay),
      .nesterov = options_.nesterov,
  };
  kernels::SgdUpdate(update.size, factors, update.grad, update.parameter,
                     update.slots.empty() ? nullptr : update.slots[0]);
}

}  // namespace twofour::optim
