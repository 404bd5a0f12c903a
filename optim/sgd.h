#pragma once

#include "twofour/core/faults.h"
#include "twofour/optim/slot_optimizer.h"

namespace twofour::optim {

struct SgdOptions {
  double lr = 1e-2;
  double momentum = 0.0;
  bool nesterov = false;      ///< Needs momentum.
  double weight_decay = 0.0;  ///< Only for a plain list of parameters; groups have their own.
};

/// Rules: no setting is negative, momentum is below 1, nesterov needs a momentum above 0, and a float can hold each
/// number.
void Check(const SgdOptions& options, const FieldPath& at, Faults& faults);

/// Stochastic gradient descent, as PyTorch's SGD without dampening:
///   g = grad + weight_decay * p;   v = momentum * v + g;   p -= lr * (nesterov ? g + momentum * v : v)
class Sgd : public SlotOptimizer {
 public:
  /// Throws Error on options that Check finds fault with, and as SlotOptimizer does.
  Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);
  Sgd(const std::vector<Tensor>& parameters, const SgdOptions& options);

 protected:
  void UpdateParameter(const Update& update) override;

 private:
  SgdOptions options_;
};

}  // namespace twofour::optim
