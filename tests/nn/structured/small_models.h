#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/ops.h"
#include "twofour/core/random.h"
#include "twofour/nn/calibration.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/structured/part_set.h"

#include "tests/support/tensors.h"

// Small models with random weights in every parameter, data for them, and parts that are silenced one by one.

namespace twofour::nn {

inline void Randomize(Module& model, uint32_t stream = 5) {
  for (Tensor& parameter : model.Parameters()) FillUniform(parameter, -0.5, 0.5, {3, stream++, 0});
}

inline std::unique_ptr<Gpt> RandomGpt(const GptOptions& options) {
  Generator generator(1);
  auto gpt = std::make_unique<Gpt>(options, generator);
  Randomize(*gpt);
  return gpt;
}

/// Rotary positions, normalised queries and keys, two query heads to each key head.
inline GptOptions GroupedGpt() {
  return {.vocab_size = 13,
          .sequence_length = 8,
          .depth = 3,
          .width = 24,
          .heads = 6,
          .kv_heads = 3,
          .hidden_features = 20};
}

inline GptOptions LearnedGpt() {
  return {.vocab_size = 13,
          .sequence_length = 8,
          .depth = 3,
          .width = 16,
          .heads = 4,
          .hidden_features = 20,
          .activation = Activation::kGelu,
          .positions = Positions::kLearned,
          .norm = NormKind::kLayer,
          .embedding_norm = false,
          .query_key_norm = false,
          .bias = true,
          .tied_head = true};
}

inline GptOptions GatedGpt() {
  return {.vocab_size = 13,
          .sequence_length = 8,
          .depth = 2,
          .width = 16,
          .heads = 4,
          .kv_heads = 4,
          .hidden_features = 24,
          .activation = Activation::kSwiGlu,
          .norm = NormKind::kWeightedRms,
          .bias = true};
}

inline std::unique_ptr<ResidualMlp> RandomResidualMlp() {
  Generator generator(1);
  auto mlp = std::make_unique<ResidualMlp>(
      ResidualMlpOptions{.in_features = 5, .width = 12, .hidden_features = 20, .num_blocks = 4, .out_features = 7},
      generator);
  Randomize(*mlp);
  return mlp;
}

inline std::unique_ptr<MlpStack> RandomStack() {
  Generator generator(1);
  auto stack = std::make_unique<MlpStack>(
      MlpStackOptions{.in_features = 5, .hidden_features = {20, 31, 6}, .out_features = 7}, generator);
  Randomize(*stack);
  return stack;
}

/// One of three batches: tokens for a Gpt, features for other models.
inline Tensor BatchFor(const Model& model, int64_t number) {
  const RandomKey key{.seed = 7, .stream = static_cast<uint32_t>(number)};
  if (dynamic_cast<const Gpt*>(&model) != nullptr) return test::RandomIndices({3, 8}, 13, key);
  return test::RandomF32({9, 5}, key);
}

inline Tensor LossOf(Model& model, int64_t batch) {
  const Tensor x = BatchFor(model, batch);
  if (auto* const gpt = dynamic_cast<Gpt*>(&model)) return gpt->Loss(x, BatchFor(model, batch + 100));
  const Tensor y = model.Forward(x);
  return Mean(Mul(y, y));
}

inline Calibration DataFor(Model& model) {
  return {.batches = 3, .loss = [&model](int64_t batch) { return LossOf(model, batch); }};
}

inline double MeanOfLosses(Model& model) {
  const NoGradGuard no_grad;
  double sum = 0;
  for (int64_t batch = 0; batch < 3; ++batch) sum += LossOf(model, batch).item();
  return sum / 3;
}

inline Tensor ParameterOf(const Module& model, const std::string& name) {
  for (const NamedTensor& parameter : model.NamedParameters()) {
    if (parameter.name == name) return parameter.tensor;
  }
  return {};
}

inline std::vector<NamedTensor> CopiesOf(const Module& model) {
  std::vector<NamedTensor> copies = model.NamedParameters();
  for (NamedTensor& named : copies) named.tensor = named.tensor.Detach().Clone();
  return copies;
}

inline void ExpectSameWeights(const Module& model, const std::vector<NamedTensor>& before) {
  for (const NamedTensor& named : before) test::ExpectBitEqual(ParameterOf(model, named.name), named.tensor);
}

/// Zeroes columns [part * span, (part + 1) * span) of a weight.
inline void ZeroColumns(Module& model, const std::string& name, int64_t part, int64_t span) {
  Tensor weight = ParameterOf(model, name);
  for (int64_t row = 0; row < weight.dim(0); ++row) {
    for (int64_t i = part * span; i < (part + 1) * span; ++i) weight.mutable_data<float>()[row * weight.dim(1) + i] = 0;
  }
}

/// Makes a part say nothing, by the names that these models give to their weights.
inline void Silence(Module& model, const PartSet& set, int64_t part) {
  if (set.kind == PartKind::kBlocks) {
    for (const char* const name :
         {".attn.c_proj.weight", ".attn.c_proj.bias", ".mlp.c_proj.weight", ".mlp.c_proj.bias"}) {
      Tensor tensor = ParameterOf(model, fmt::format("{}.{}{}", set.name, part, name));
      if (tensor.defined()) tensor.Fill(0);
    }
    return;
  }
  std::string reader = set.name + ".c_proj.weight";
  if (set.name.starts_with("layers.")) reader = fmt::format("layers.{}.weight", std::stoi(set.name.substr(7)) + 1);
  ZeroColumns(model, reader, part, ParameterOf(model, reader).dim(1) / set.count);
}

}  // namespace twofour::nn
