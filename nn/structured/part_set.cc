#include "twofour/nn/structured/part_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <typeinfo>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"

namespace twofour::nn {
namespace {

/// Throws Error unless every module is one that these models are built of.
void RequirePlain(Model& model) {
  static constexpr std::string_view kKnown[] = {"Gpt",    "ResidualMlp", "MlpStack",           "Namespace", "GptBlock",
                                                "Mlp",    "RmsNorm",     "ResidualBlock",      "LayerNorm", "Dropout",
                                                "Linear", "Embedding",   "CausalSelfAttention"};
  model.VisitModules([](const std::string& name, const Module& module) {
    const std::string_view type = module.type_name();
    const bool derived = dynamic_cast<const Linear*>(&module) != nullptr && typeid(module) != typeid(Linear);
    if (std::ranges::find(kKnown, type) != std::end(kKnown) && !derived) return;
    throw Error(
        fmt::format("{} is a {}, expected the dense layers that a model begins with: masks, adapters and "
                    "packed weights hold for one shape only",
                    name, type));
  });
  for (const NamedTensor& parameter : model.NamedParameters()) {
    if (parameter.tensor.dtype() == DType::kF32) continue;
    throw Error(fmt::format("{} is {}, expected f32", parameter.name, NameOf(parameter.tensor.dtype())));
  }
}

class Finder {
 public:
  explicit Finder(Model& model) : named_(model.NamedParameters()) {}

  std::vector<PartSet> OfGpt(const GptOptions& options) {
    const std::string blocks = "transformer.h";
    const int64_t kv_heads = options.kv_heads == 0 ? options.heads : options.kv_heads;
    for (int64_t i = 0; i < options.depth; ++i) {
      const std::string block = fmt::format("{}.{}", blocks, i);
      AddHeads(block + ".attn", i, kv_heads, options.heads / kv_heads, options.head_features);
      AddMlp(block + ".mlp", i, options.hidden_features);
    }
    return Finish(blocks, options.depth);
  }

  std::vector<PartSet> OfResidualMlp(const ResidualMlpOptions& options) {
    const std::string blocks = "blocks";
    for (int64_t i = 0; i < options.num_blocks; ++i) {
      AddMlp(fmt::format("{}.{}.mlp", blocks, i), i, options.hidden_features);
    }
    return Finish(blocks, options.num_blocks);
  }

  std::vector<PartSet> OfStack(const MlpStackOptions& options) {
    for (size_t i = 0; i < options.hidden_features.size(); ++i) {
      PartSet set{.kind = PartKind::kNeurons,
                  .name = fmt::format("layers.{}", i),
                  .count = options.hidden_features[i],
                  .reader = fmt::format("layers.{}", i + 1)};
      UseRows(set, set.name, 1);
      UseReader(set, 1);
      sets_.push_back(std::move(set));
    }
    return std::move(sets_);
  }

 private:
  const Tensor* Find(const std::string& parameter) const {
    const auto found = std::ranges::find(named_, parameter, &NamedTensor::name);
    return found == named_.end() ? nullptr : &found->tensor;
  }

  void Use(PartSet& set, const std::string& parameter, int axis, int64_t span) const {
    const Tensor* const tensor = Find(parameter);
    if (tensor == nullptr || tensor->dim(axis) != set.count * span) {
      throw Error(fmt::format("{} {}, expected {} entries of axis {}, as the model began with", parameter,
                              tensor == nullptr ? "is missing" : "is " + ToString(tensor->shape()), set.count * span,
                              axis));
    }
    set.axes.push_back({parameter, axis, span});
  }

  /// The rows of a linear and their biases, if it has some.
  void UseRows(PartSet& set, const std::string& linear, int64_t span) const {
    Use(set, linear + ".weight", 0, span);
    if (Find(linear + ".bias") != nullptr) Use(set, linear + ".bias", 0, span);
  }

  /// The columns of the linear behind the parts.
  void UseReader(PartSet& set, int64_t span) const { Use(set, set.reader + ".weight", 1, span); }

  void AddHeads(const std::string& name, int64_t block, int64_t groups, int64_t group, int64_t head_features) {
    PartSet set{.kind = PartKind::kHeads,
                .name = name,
                .count = groups,
                .unit = group,
                .block = block,
                .reader = name + ".c_proj"};
    UseRows(set, name + ".c_q", group * head_features);
    UseRows(set, name + ".c_k", head_features);
    UseRows(set, name + ".c_v", head_features);
    UseReader(set, group * head_features);
    sets_.push_back(std::move(set));
  }

  void AddMlp(const std::string& name, int64_t block, int64_t hidden_features) {
    PartSet set{
        .kind = PartKind::kNeurons, .name = name, .count = hidden_features, .block = block, .reader = name + ".c_proj"};
    if (Find(name + ".c_gate.weight") != nullptr) UseRows(set, name + ".c_gate", 1);
    UseRows(set, name + ".c_fc", 1);
    UseReader(set, 1);
    sets_.push_back(std::move(set));
  }

  std::vector<PartSet> Finish(const std::string& blocks, int64_t count) {
    sets_.push_back({.kind = PartKind::kBlocks, .name = blocks, .count = count});
    return std::move(sets_);
  }

  std::vector<NamedTensor> named_;
  std::vector<PartSet> sets_;
};

}  // namespace

std::string_view NameOf(PartKind kind) {
  switch (kind) {
    case PartKind::kHeads:
      return "heads";
    case PartKind::kNeurons:
      return "neurons";
    case PartKind::kBlocks:
      return "blocks";
  }
  return "?";
}

std::vector<PartSet> FindParts(Model& model) {
  const std::type_info& type = typeid(model);
  if (type != typeid(Gpt) && type != typeid(ResidualMlp) && type != typeid(MlpStack)) {
    throw Error(fmt::format("the model is a {}, expected a Gpt, a ResidualMlp or an MlpStack", model.type_name()));
  }
  RequirePlain(model);
  Finder finder(model);
  if (const auto* const gpt = dynamic_cast<const Gpt*>(&model)) return finder.OfGpt(gpt->options());
  if (const auto* const mlp = dynamic_cast<const ResidualMlp*>(&model)) return finder.OfResidualMlp(mlp->options());
  return finder.OfStack(static_cast<const MlpStack&>(model).options());
}

}  // namespace twofour::nn
