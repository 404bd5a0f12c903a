#include "twofour/optim/sgd.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::optim {

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups), options.lr,
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
  const auto momentum = static_cast<float>(options_.momentum), decay = static_cast<float>(update.weight_decay);
  const auto rate = static_cast<float>(lr());
  float* buffer = update.slots.empty() ? nullptr : update.slots[0];
  ParallelFor(update.size, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float grad = update.grad[i] + decay * update.parameter[i];
      float direction = grad;
      if (buffer != nullptr) {
        buffer[i] = momentum * buffer[i] + grad;
        direction = options_.nesterov ? grad + momentum * buffer[i] : buffer[i];
      }
      update.parameter[i] -= rate * direction;
    }
  });
}

}  // namespace twofour::optim
