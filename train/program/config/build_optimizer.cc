#include "twofour/train/program/config/build_optimizer.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/layers.h"
#include "twofour/optim/optimizer_list.h"
#include "twofour/train/program/config/options.h"

namespace twofour::train {
namespace {

using optim::ParameterGroup;

struct ParametersByRole {
  std::vector<NamedTensor> embedding, head, matrices, vectors;
};

ParametersByRole SortByRole(nn::Module& model) {
  std::set<const Tensor::Impl*> embeddings;
  model.VisitModules([&](const std::string&, nn::Module& module) {
    if (dynamic_cast<const nn::Embedding*>(&module) == nullptr) return;
    for (const Tensor& parameter : module.Parameters()) embeddings.insert(parameter.impl().get());
  });
  ParametersByRole roles;
  std::set<const Tensor::Impl*> seen;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    if (!seen.insert(parameter.tensor.impl().get()).second) continue;  // A tied head.
    if (parameter.tensor.rank() < 2) {
      roles.vectors.push_back(parameter);
    } else if (embeddings.contains(parameter.tensor.impl().get())) {
      roles.embedding.push_back(parameter);
    } else if (parameter.name == "head.weight" || parameter.name == "lm_head.weight") {
      roles.head.push_back(parameter);
    } else {
      roles.matrices.push_back(parameter);
    }
  }
  return roles;
}

/// Frozen parameters would only take memory.
std::vector<NamedTensor> Trained(std::vector<NamedTensor> parameters) {
  std::erase_if(parameters, [](const NamedTensor& named) { return !named.tensor.requires_grad(); });
  return parameters;
}

/// Throws Error on settings of a role that no parameter has, because they would silently do nothing.
ParameterGroup MakeGroup(const char* role, std::vector<NamedTensor> parameters, double weight_decay,
                         const proto::ParameterGroup& given) {
  if (parameters.empty() && (given.lr_scale() != 1 || given.weight_decay() != -1)) {
    throw Error(fmt::format("config: optimizer.{}: given, expected none: the model has no such parameters", role));
  }
  ParameterGroup group = ToOptions(given, weight_decay);
  group.parameters = Trained(std::move(parameters));
  return group;
}

/// The groups of all roles except matrices.
std::vector<ParameterGroup> OtherGroups(const proto::Optimizer& optimizer, const ParametersByRole& roles,
                                        double weight_decay) {
  return {MakeGroup("embedding", roles.embedding, weight_decay, optimizer.embedding()),
          MakeGroup("head", roles.head, weight_decay, optimizer.head()),
          MakeGroup("vectors", roles.vectors, 0, optimizer.vectors())};
}

std::vector<ParameterGroup> AllGroups(const proto::Optimizer& optimizer, const ParametersByRole& roles,
                                      double weight_decay) {
  std::vector<ParameterGroup> groups = OtherGroups(optimizer, roles, weight_decay);
  groups.push_back({.parameters = Trained(roles.matrices), .weight_decay = weight_decay});
  return groups;
}

/// The options that a message describes, with the learning rate.
template <typename Message>
auto OptionsAt(double lr, const Message& message) {
  auto options = ToOptions(message);
  options.lr = lr;
  return options;
}

}  // namespace

std::unique_ptr<optim::Optimizer> BuildOptimizer(const proto::Config& config, nn::Module& model) {
  const double lr = config.learning_rate().lr();
  const proto::Optimizer& optimizer = config.optimizer();
  const ParametersByRole roles = SortByRole(model);
  if (optimizer.has_sgd()) {
    const optim::SgdOptions sgd = OptionsAt(lr, optimizer.sgd());
    return std::make_unique<optim::Sgd>(AllGroups(optimizer, roles, sgd.weight_decay), sgd);
  }
  if (optimizer.has_muon()) {
    const optim::MuonOptions muon = OptionsAt(lr, optimizer.muon());
    const optim::AdamWOptions adamw = OptionsAt(lr, optimizer.muon().adamw());
    std::vector<std::unique_ptr<optim::Optimizer>> parts;
    parts.push_back(std::make_unique<optim::Muon>(
        std::vector<ParameterGroup>{{.parameters = Trained(roles.matrices), .weight_decay = muon.weight_decay}}, muon));
    parts.push_back(std::make_unique<optim::AdamW>(OtherGroups(optimizer, roles, adamw.weight_decay), adamw));
    return std::make_unique<optim::OptimizerList>(std::move(parts));
  }
  const optim::AdamWOptions adamw = OptionsAt(lr, optimizer.adamw());
  return std::make_unique<optim::AdamW>(AllGroups(optimizer, roles, adamw.weight_decay), adamw);
}

}  // namespace twofour::train
