#include "twofour/nn/smooth_quant.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <typeinfo>

#include "twofour/nn/causal_self_attention.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/residual_mlp.h"

namespace twofour::nn {
namespace {

/// "a.b.c" and "d" give "a.b.d": the name of a module's sibling.
std::string Sibling(const std::string& name, const std::string& sibling) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? sibling : name.substr(0, dot + 1) + sibling;
}

/// A class derived from Linear may compute something else.
bool IsPlainLinear(const Module& module) { return typeid(module) == typeid(Linear); }

class NormFinder {
 public:
  explicit NormFinder(Module& root) : root_(root), parameters_(root.NamedParameters()) {
    root.VisitModules([this](const std::string& name, Module& module) { modules_.emplace(name, &module); });
  }

  std::vector<SmoothableNorm> Find() {
    for (const auto& [name, module] : modules_) {
      if (dynamic_cast<const CausalSelfAttention*>(module) != nullptr) {
        Add(Sibling(name, "ln_1"), {name + ".c_q", name + ".c_k", name + ".c_v"});
      } else if (dynamic_cast<const Mlp*>(module) != nullptr) {
        std::vector<std::string> readers = {name + ".c_fc"};
        if (modules_.contains(name + ".c_gate")) readers.push_back(name + ".c_gate");
        for (const char* const norm : {"ln_2", "norm"}) Add(Sibling(name, norm), readers);
      }
    }
    if (dynamic_cast<const Gpt*>(&root_) != nullptr) Add("transformer.ln_f", {"lm_head"});
    if (dynamic_cast<const ResidualMlp*>(&root_) != nullptr) Add("norm", {"head"});
    return std::move(norms_);
  }

 private:
  Tensor Parameter(const std::string& name) const {
    const auto found = std::ranges::find(parameters_, name, &NamedTensor::name);
    return found == parameters_.end() ? Tensor() : found->tensor;
  }
  bool IsShared(const std::string& name, const Tensor& tensor) const {
    return std::ranges::any_of(parameters_, [&](const NamedTensor& other) {
      return other.name != name && other.tensor.IsSameStorage(tensor);
    });
  }

  /// Adds the norm of this name, if all is as it must be.
  void Add(const std::string& name, const std::vector<std::string>& readers) {
    const auto module = modules_.find(name);
    if (module == modules_.end()) return;
    const Module& found = *module->second;
    const std::type_info& type = typeid(found);
    if (type != typeid(RmsNorm) && type != typeid(LayerNorm)) return;
    SmoothableNorm norm{name, Parameter(name + ".weight"), Parameter(name + ".bias"), {}};
    if (!norm.weight.defined()) return;
    for (const std::string& reader : readers) {
      const auto linear = modules_.find(reader);
      if (linear == modules_.end() || !IsPlainLinear(*linear->second)) return;
      const Tensor weight = Parameter(reader + ".weight");
      if (weight.dtype() != DType::kF32 || IsShared(reader + ".weight", weight)) return;
      norm.readers.push_back({reader, linear->second, weight});
    }
    norms_.push_back(std::move(norm));
  }

  Module& root_;
  std::vector<NamedTensor> parameters_;
  std::map<std::string, const Module*> modules_;
  std::vector<SmoothableNorm> norms_;
};

}  // namespace

std::vector<SmoothableNorm> FindSmoothableNorms(Module& root) { return NormFinder(root).Find(); }

std::vector<float> SmoothingFactors(const SmoothableNorm& norm, std::span<const float> magnitudes, double alpha) {
  constexpr double kMost = 65536;
  std::vector<float> weights(magnitudes.size(), 0.0F);
  for (const ChannelReader& reader : norm.readers) {
    const float* w = reader.weight.data<float>();
    for (int64_t row = 0; row < reader.weight.dim(0); ++row, w += weights.size()) {
      for (size_t j = 0; j < weights.size(); ++j) weights[j] = std::max(weights[j], std::fabs(w[j]));
    }
  }
  std::vector<float> factors(magnitudes.size(), 1.0F);
  for (size_t j = 0; j < factors.size(); ++j) {
    if (magnitudes[j] == 0 || weights[j] == 0) continue;
    const double factor = std::pow(double{magnitudes[j]}, alpha) / std::pow(double{weights[j]}, 1 - alpha);
    factors[j] = static_cast<float>(std::clamp(factor, 1 / kMost, kMost));
  }
  return factors;
}

void Smooth(const SmoothableNorm& norm, std::span<const float> factors) {
  for (Tensor of_norm : {norm.weight, norm.bias}) {
    if (!of_norm.defined()) continue;
    float* const numbers = of_norm.mutable_data<float>();
    for (size_t j = 0; j < factors.size(); ++j) numbers[j] /= factors[j];
  }
  for (const ChannelReader& reader : norm.readers) {
    Tensor weight = reader.weight;
    float* w = weight.mutable_data<float>();
    for (int64_t row = 0; row < weight.dim(0); ++row, w += factors.size()) {
      for (size_t j = 0; j < factors.size(); ++j) w[j] *= factors[j];
    }
  }
}

}  // namespace twofour::nn
