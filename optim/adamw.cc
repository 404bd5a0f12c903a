#include "twofour/optim/adamw.h"

#include <fmt/format.h>

#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/optimizer_updates.h"

namespace twofour::optim {

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options)
    : SlotOptimizer(std::move(groups), options.lr, {"exp_avg", "exp_avg_sq"}), options_(options) {
  const auto is_beta = [](double beta) { return beta >= 0 && beta < 1; };
  if (!(options.lr >= 0) || !is_beta(options.beta1) || !is_beta(options.beta2) ||
      !(static_cast<float>(options.eps) > 0) || !(options.weight_decay >= 0)) {
    throw Error(
        fmt::format("AdamW: lr {}, betas ({}, {}), eps {}, weight_decay {}; expected lr >= 0, betas in [0, 1), "
                    "eps > 0, weight_decay >= 0",
                    options.lr, options.beta1, options.beta2, options.eps, options.weight_decay));
  }
}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options)
    : AdamW(std::vector<ParameterGroup>{{NumberParameters(parameters), options.weight_decay}}, options) {}

void AdamW::UpdateParameter(const Update& update) {
  const auto t = static_cast<double>(update.count);
  const kernels::AdamWFactors factors{
      .beta1 = static_cast<float>(options_.beta1),
      .beta2 = static_cast<float>(options_.beta2),
      // In float, 1 - 0.999f is off by 5e-5 of itself.
      .gain1 = static_cast<float>(1.0 - options_.beta1),
      .gain2 = static_cast<float>(1.0 - options_.beta2),
      .shrink = static_cast<float>(1.0 - update.lr * update.weight_decay),
      .rate = static_cast<float>(update.lr / (1.0 - std::pow(options_.beta1, t))),
      .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t))),
      .eps = static_cast<float>(options_.eps),
  };
  kernels::AdamWUpdate(update.size, factors, update.grad, update.parameter, update.slots[0], update.slots[1]);
}

}  // namespace twofour::optim
