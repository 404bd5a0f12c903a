#include "twofour/nn/mlp_stack.h"

#include <fmt/format.h>

#include <iterator>
#include <string>

#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"

namespace twofour::nn {

void CheckHiddenFeatures(const std::vector<int64_t>& features, const std::string& path, Faults& faults) {
  faults.InRange(path + " (how many)", std::ssize(features), 0, 1000);
  for (size_t i = 0; i < features.size(); ++i) {
    faults.InRange(fmt::format("{}[{}]", path, i), features[i], 1, kMaxFeatures);
  }
}

void Check(const MlpStackOptions& options, const FieldPath& at, Faults& faults) {
  CheckHiddenFeatures(options.hidden_features, at("hidden_features"), faults);
  faults.Probability(at("dropout"), options.dropout);
  CheckUngated(options.activation, at("activation"), faults);
}

MlpStack::MlpStack(const MlpStackOptions& options, Generator& generator) : options_(Checked(options, "MlpStack: ")) {
  std::vector<int64_t> sizes{options.in_features};
  sizes.insert(sizes.end(), options.hidden_features.begin(), options.hidden_features.end());
  sizes.push_back(options.out_features);
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    layers_.push_back(&RegisterModule(
        fmt::format("layers.{}", i),
        std::make_unique<Linear>(
            LinearOptions{.in_features = sizes[i], .out_features = sizes[i + 1], .bias = options.bias}, generator)));
  }
  if (options.dropout == 0.0) return;
  for (size_t i = 0; i + 1 < layers_.size(); ++i) {
    dropouts_.push_back(
        &RegisterModule(fmt::format("dropouts.{}", i), std::make_unique<Dropout>(options.dropout, generator)));
  }
}

Tensor MlpStack::Forward(const Tensor& x) {
  Tensor h = FromInput(x);
  for (size_t i = 0; i + 1 < layers_.size(); ++i) {
    h = Activate(options_.activation, (*layers_[i])->Forward(h));
    if (!dropouts_.empty()) h = (*dropouts_[i])->Forward(h);
  }
  return Logits(**layers_.back(), h);
}

}  // namespace twofour::nn
