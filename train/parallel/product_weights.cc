#include "twofour/train/parallel/product_weights.h"

#include <string>

#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/lora_linear.h"
#include "twofour/nn/semi_sparse_linear.h"

namespace twofour::train {

std::set<const Tensor::Impl*> ProductWeights(nn::Module& model) {
  std::set<const Tensor::Impl*> weights, others;
  model.VisitModules([&](const std::string&, nn::Module& module) {
    if (const auto* const linear = dynamic_cast<const nn::Linear*>(&module)) {
      (linear->rounding() == nullptr ? weights : others).insert(linear->weight().impl().get());
    } else if (const auto* const sparse = dynamic_cast<const nn::SemiSparseLinear*>(&module)) {
      const bool only_products = !sparse->options().soft_threshold && sparse->rounding() == nullptr &&
                                 dynamic_cast<const nn::LoraLinear*>(&module) == nullptr;
      (only_products ? weights : others).insert(sparse->weight().impl().get());
    } else {
      for (const auto& [name, tensor] : module.NamedParameters()) {
        if (name.find('.') == std::string::npos) others.insert(tensor.impl().get());  // Its own, not its children's.
      }
    }
  });
  for (const Tensor::Impl* other : others) weights.erase(other);
  return weights;
}

}  // namespace twofour::train
