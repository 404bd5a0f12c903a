#include "twofour/optim/parameter_group.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::optim {

void Check(const ParameterGroup& group, const FieldPath& at, Faults& faults) {
  faults.FloatAtLeast(at("lr_scale"), group.lr_scale, 0);
  faults.FloatAtLeast(at("weight_decay"), group.weight_decay, 0);
}

void RequireDisjoint(const char* owner, const std::vector<NamedTensor>& parameters) {
  std::set<std::string> names;
  std::map<const Storage*, std::string> owners;  // Names by elements.
  for (const NamedTensor& parameter : parameters) {
    const auto [same, is_new] = owners.emplace(parameter.tensor.impl()->storage.get(), parameter.name);
    if (!is_new) {
      throw Error(
          fmt::format("{}: parameters '{}' and '{}' share their elements", owner, same->second, parameter.name));
    }
    if (!names.insert(parameter.name).second) {
      throw Error(fmt::format("{}: two parameters are named '{}'", owner, parameter.name));
    }
  }
}

std::vector<NamedTensor> NumberParameters(const std::vector<Tensor>& parameters) {
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < parameters.size(); ++i) named.push_back({std::to_string(i), parameters[i]});
  return named;
}

std::vector<ParameterGroup> DecayMatricesOnly(const std::vector<NamedTensor>& parameters, double weight_decay) {
  std::vector<ParameterGroup> groups(2);
  groups[0].weight_decay = weight_decay;
  for (const NamedTensor& parameter : parameters) {
    ops::RequireFloating("DecayMatricesOnly", fmt::format("parameter '{}'", parameter.name), parameter.tensor);
    groups[parameter.tensor.rank() >= 2 ? 0 : 1].parameters.push_back(parameter);
  }
  return groups;
}

}  // namespace twofour::optim
