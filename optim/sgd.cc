#include "twofour/optim/sgd.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/optimizer_updates.h"

namespace twofour::optim {

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : SlotOptimizer(std::move(groups), options.lr,
                    options.momentum != 0.0 ? std::vector<std::string>{"momentum_buffer"} : std::vector<std::string>{}),
      options_(options) {
  if (!(options.lr >= 0) || !(options.momentum >= 0 && options.momentum < 1) || !(options.weight_decay >= 0)) {
    throw Error(
        fmt::format("Sgd: lr {}, momentum {}, weight_decay {}; expected lr >= 0, momentum in [0, 1), "
                    "weight_decay >= 0",
                    options.lr, options.momentum, options.weight_decay));
  }
  if (options.nesterov && options.momentum == 0.0) throw Error("Sgd: nesterov needs a momentum above 0");
}

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
