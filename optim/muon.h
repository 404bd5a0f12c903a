#pragma once

#include "twofour/core/faults.h"
#include "twofour/optim/slot_optimizer.h"

namespace twofour::optim {

struct MuonOptions {
  double lr = 0.02;
  double momentum = 0.95;
  bool nesterov = true;
  int ns_steps = 5;           ///< Newton-Schulz steps, 1 to 100; see Orthogonalize.
  double weight_decay = 0.0;  ///< Only for a plain list of parameters; groups have their own.
};

/// Rules: no setting is negative, momentum is below 1, ns_steps is 1 to 100, and a float can hold each number.
void Check(const MuonOptions& options, const FieldPath& at, Faults& faults);

/// Momentum whose update is made orthogonal, for matrices [rows, cols] only. Jordan et al., "Muon: An optimizer for
/// hidden layers in neural networks", 2024. All in f32, while the original orthogonalises in bfloat16:
///   b = momentum * b + (1 - momentum) * g;   d = nesterov ? (1 - momentum) * g + momentum * b : b
///   p *= 1 - lr * weight_decay;   p -= lr * sqrt(max(1, rows / cols)) * Orthogonalize(d, ns_steps)
/// Embeddings, heads and parameters that are not matrices should go to another optimizer: see OptimizerList.
class Muon : public SlotOptimizer {
 public:
  /// Throws Error on options that Check finds fault with, on a parameter that is not a matrix, and as SlotOptimizer
  /// does.
  Muon(std::vector<ParameterGroup> groups, const MuonOptions& options);
  Muon(const std::vector<Tensor>& parameters, const MuonOptions& options);

  std::vector<double> UpdateCosts() const override;

 protected:
  void UpdateParameter(const Update& update) override;

 private:
  MuonOptions options_;
};

}  // namespace twofour::optim
