#include "twofour/optim/adamw.h"

#include <cmath>

#include "twofour/core/kernels/elements/optimizer_updates.h"
#include "twofour/optim/lr_schedule.h"

namespace twofour::optim {

void Check(const AdamWOptions& options, const FieldPath& at, Faults& faults) {
  faults.Probability(at("beta1"), options.beta1);
  faults.Probability(at("beta2"), options.beta2);
  faults.PositiveFloat(at("eps"), options.eps);
  faults.FloatAtLeast(at("weight_decay"), options.weight_decay, 0);
  CheckLr(options.lr, at("lr"), faults);
}

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options)
    : SlotOptimizer(std::move(groups), options.lr, {{"exp_avg"}, {.name = "exp_avg_sq", .least = 0}},
                    FaultsOf(options, "AdamW: ", " ")),
      options_(options) {}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options)
    : AdamW(std::vector<ParameterGroup>{{NumberParameters(parameters), options.weight_decay}}, options) {}

void AdamW::UpdateParameter(const Update& update) {
  const auto t = static_cast<double>(update.count);
  const kernels::AdamWFactors factors{
      .beta1 = static_cast<float>(options_.beta1),
      .beta2 = static_cast<float>(options_.beta2),
      // Computed in double, because 1 - 0.999f in float has a relative error of 5e-5.
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
