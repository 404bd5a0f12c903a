#pragma once

#include "twofour/core/faults.h"
#include "twofour/optim/slot_optimizer.h"

namespace twofour::optim {

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;  ///< Only for a plain list of parameters; groups have their own.
};

/// Rules: no setting is negative, eps is above 0, betas are below 1, and a float can hold each.
void Check(const AdamWOptions& options, const FieldPath& at, Faults& faults);

/// Adam with decoupled weight decay. Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; as in
/// PyTorch. t is the number of updates of the parameter:
///   p *= 1 - lr * weight_decay;   m = beta1 * m + (1 - beta1) * g;   v = beta2 * v + (1 - beta2) * g^2
///   p -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
class AdamW : public SlotOptimizer {
 public:
  /// Throws Error on options that Check finds fault with, and as SlotOptimizer does.
  AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options);
  AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options);

 protected:
  void UpdateParameter(const Update& update) override;

 private:
  AdamWOptions options_;
};

}  // namespace twofour::optim
