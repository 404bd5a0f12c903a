#pragma once

#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"

namespace twofour::optim {

/// Parameters that share settings.
struct ParameterGroup {
  std::vector<NamedTensor> parameters;
  double weight_decay = 0.0;
  double lr_scale = 1.0;  ///< The group's learning rate is the optimizer's times this.
};

/// Rules: weight_decay and lr_scale are not negative, and a float can hold them.
void Check(const ParameterGroup& group, const FieldPath& at, Faults& faults);

/// Throws Error if two parameters of one optimizer share their elements or a name. All must be defined. The message
/// begins with `owner` ("optimizer").
void RequireDisjoint(const char* owner, const std::vector<NamedTensor>& parameters);

/// Names unnamed parameters "0", "1", ... for an optimizer's state dict.
std::vector<NamedTensor> NumberParameters(const std::vector<Tensor>& parameters);

/// Makes two groups: tensors of two or more dimensions get `weight_decay`, the others (biases, norms) get none.
std::vector<ParameterGroup> DecayMatricesOnly(const std::vector<NamedTensor>& parameters, double weight_decay);

}  // namespace twofour::optim
