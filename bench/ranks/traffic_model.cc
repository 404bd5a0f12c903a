#include "bench/ranks/traffic_model.h"

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "twofour/nn/gpt.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/optimizer_list.h"

namespace twofour::bench {
namespace {

std::unique_ptr<optim::Optimizer> OptimizerFor(const nn::Module& model, bool muon) {
  optim::ParameterGroup matrices, others;
  for (const NamedTensor& named : model.NamedParameters()) {
    const bool by_muon = muon && named.tensor.rank() == 2 && named.name.starts_with("transformer.h.");
    (by_muon ? matrices : others).parameters.push_back(named);
  }
  constexpr double kLr = 1e-3;
  std::vector<std::unique_ptr<optim::Optimizer>> parts;
  parts.push_back(std::make_unique<optim::AdamW>(std::vector{others}, optim::AdamWOptions{.lr = kLr}));
  if (muon) parts.push_back(std::make_unique<optim::Muon>(std::vector{matrices}, optim::MuonOptions{.lr = kLr}));
  return std::make_unique<optim::OptimizerList>(std::move(parts));
}

}  // namespace

std::vector<TrafficParameter> TrafficParametersOf(nn::Module& model, const optim::Optimizer& optimizer) {
  std::unordered_map<const Tensor::Impl*, double> costs;
  const std::vector<NamedTensor> updated = optimizer.Parameters();
  const std::vector<double> update_costs = optimizer.UpdateCosts();
  for (size_t i = 0; i < updated.size(); ++i) costs[updated[i].tensor.impl().get()] = update_costs[i];
  std::set<const Tensor::Impl*> sparse;
  for (const nn::NamedSemiSparseLinear& named : nn::FindSemiSparseLinears(model)) {
    sparse.insert(named.layer->weight().impl().get());
  }
  std::vector<TrafficParameter> parameters;
  for (const auto& [name, tensor] : model.NamedParameters()) {
    if (!tensor.requires_grad()) continue;
    const auto* const impl = tensor.impl().get();
    const bool is_embedding = name.ends_with("wte.weight") || name.ends_with("wpe.weight");
    parameters.push_back({tensor.numel(), costs.at(impl), !is_embedding, sparse.contains(impl)});
  }
  return parameters;
}

std::vector<TrafficParameter> TrafficParametersOf(const TrafficGpt& gpt) {
  Generator generator(/*seed=*/1);
  nn::Gpt model({.vocab_size = gpt.vocab,
                 .sequence_length = gpt.sequence_length,
                 .depth = gpt.depth,
                 .width = gpt.width,
                 .heads = gpt.width / gpt.head_size,
                 .init = {.embedding_std = 0, .head_std = 0, .matrix_std = 0, .projection_std = 0}},
                generator);
  if (gpt.sparse) nn::SwapLinearWithSemiSparseLinear(model, {.include = ".*\\.mlp\\..*"});
  return TrafficParametersOf(model, *OptimizerFor(model, gpt.muon));
}

}  // namespace twofour::bench
