#pragma once

#include "twofour/optim/slot_optimizer.h"

namespace twofour::optim {

struct SgdOptions {
  double lr = 1e-2;
  double momentum = 0.0;
  bool nesterov = false;      ///< Needs momentum.
  double weight_decay = 0.0;  ///< For a plain list of parameters; groups bring their own.
};

/// Stochastic gradient descent, as PyTorch's SGD without dampening:
///   g = grad + weight_decay * p;   v = momentum * v + g;   p -= lr * (nesterov ? g + momentum * v : v)
class Sgd : public SlotOptimizer {
 public:
  /// Throws Error on a negative setting, and on nesterov without momentum.
  Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);
  Sgd(const std::vector<Tensor>& parameters, const SgdOptions& options);

 protected:
  void UpdateParameter(const Update& update) override;

 private:
  SgdOptions options_;
};

}  // namespace twofour::optim
