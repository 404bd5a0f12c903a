// Calls every module with every dtype in each of its arguments.
#include "tests/support/wrong_dtypes.h"

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

#include "twofour/nn/causal_self_attention.h"
#include "twofour/nn/density.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/gpt_block.h"
#include "twofour/nn/key_value_cache.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/lora_linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {
namespace {

using test::Argument;
using test::kAllFloating;
using test::kF32AndF64;
using test::kF32AndHalf;
using test::kOnlyF32;
using test::kOnlyI32;

Tensor Ones() { return Tensor::Full({4, 8}, 1); }
Tensor Sequence() { return Tensor::Full({1, 3, 8}, 1); }
Tensor Keys() { return Tensor::Full({1, 3, 2, 4}, 1); }
Tensor Tokens() { return Tensor::Full({1, 3}, 1, DType::kI32); }

Generator& Random() {
  static Generator generator(1);
  return generator;
}

std::unique_ptr<Mlp> DenseMlp() {
  return std::make_unique<Mlp>(MlpOptions{.in_features = 8, .hidden_features = 4, .out_features = 8}, Random());
}

std::unique_ptr<Mlp> SparseMlp() {
  std::unique_ptr<Mlp> mlp = DenseMlp();
  SwapLinearWithSemiSparseLinear(*mlp, {.multiple_of = 4});
  return mlp;
}

std::unique_ptr<LoraLinear> AdaptedLinear(const Tensor& weight, const Tensor& bias) {
  return std::make_unique<LoraLinear>(weight, bias, SemiSparseOptions{}, LoraOptions{.rank = 2}, RandomKey{});
}

std::unique_ptr<Gpt> TinyGpt() {
  return std::make_unique<Gpt>(GptOptions{.vocab_size = 5, .sequence_length = 4, .depth = 1, .width = 8, .heads = 2},
                               Random());
}

void Decode(const Tensor& x, const Tensor& keys, const Tensor& values) {
  KeyValueCache cache{.layers = {{keys, values}}, .capacity = 3};
  CausalSelfAttention({.width = 8, .heads = 2}, Random()).Forward(x, cache, 0);
}

void Drop(const Tensor& keys, const Tensor& values) {
  KeyValueCache cache{.layers = {{keys, values}}, .capacity = 3, .length = 3};
  cache.DropAllBut(1);
}

class Registers : public Module {
 public:
  std::string_view type_name() const override { return "Registers"; }
  Tensor Forward(const Tensor& x) override { return x; }
  void Register(const Tensor& tensor) { RegisterParameter("p", tensor); }
};

const Argument kArguments[] = {
    {"Linear", "weight", {4, 8}, kF32AndF64, [](const Tensor& t) { Linear(t, Tensor()); }},
    {"Linear", "bias", {4}, kOnlyF32, [](const Tensor& t) { Linear(Ones(), t); }, true},
    {"Linear", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { Linear(Ones(), Tensor()).Forward(t); }},
    {"SemiSparseLinear", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { SemiSparseLinear(t, Tensor()); }},
    {"SemiSparseLinear", "bias", {4}, kOnlyF32, [](const Tensor& t) { SemiSparseLinear(Ones(), t); }, true},
    {"MaskedLinear", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { SemiSparseLinear(Ones(), Tensor()).Forward(t); }},
    {"SemiSparseLinear", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { AdaptedLinear(t, Tensor()); }},
    {"SemiSparseLinear", "bias", {4}, kOnlyF32, [](const Tensor& t) { AdaptedLinear(Ones(), t); }, true},
    {"MaskedLinear", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { AdaptedLinear(Ones(), Tensor())->Forward(t); }},
    {"SemiSparseActivationLinear",
     "weight",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) { SemiSparseActivationLinear(t, Tensor()); }},
    {"SemiSparseActivationLinear",
     "bias",
     {4},
     kOnlyF32,
     [](const Tensor& t) { SemiSparseActivationLinear(Ones(), t); },
     true},
    {"PruneTiles",
     "x",
     {3, 8},
     kF32AndHalf,
     [](const Tensor& t) { SemiSparseActivationLinear(Ones(), Tensor()).Forward(t); }},
    {"RmsNorm", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { RmsNorm(8).Forward(t); }},
    {"LayerNorm", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { LayerNorm(8).Forward(t); }},
    {"Embedding", "indices", {3}, kOnlyI32, [](const Tensor& t) { Embedding(4, 8, Random()).Forward(t); }},
    {"Dropout", "x", {3, 8}, kAllFloating, [](const Tensor& t) { Dropout(0.5, Random()).Forward(t); }},
    {"Linear", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { DenseMlp()->Forward(t); }},
    {"MaskedLinear", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { SparseMlp()->Forward(t); }},
    {"Linear",
     "x",
     {3, 8},
     kF32AndHalf,
     [](const Tensor& t) {
       MlpStack({.in_features = 8, .hidden_features = {}, .out_features = 4}, Random()).Forward(t);
     }},
    {"Linear",
     "x",
     {3, 8},
     kF32AndHalf,
     [](const Tensor& t) {
       ResidualMlp({.in_features = 8, .width = 4, .num_blocks = 1, .out_features = 4}, Random()).Forward(t);
     }},
    {"CausalSelfAttention|Linear",
     "x",
     {1, 3, 8},
     kF32AndHalf,
     [](const Tensor& t) { CausalSelfAttention({.width = 8, .heads = 2}, Random()).Forward(t); }},
    {"CausalSelfAttention|Linear", "x", {1, 3, 8}, kF32AndHalf, [](const Tensor& t) { Decode(t, Keys(), Keys()); }},
    {"CausalSelfAttention",
     "the cache's keys",
     {1, 3, 2, 4},
     kOnlyF32,
     [](const Tensor& t) { Decode(Sequence(), t, Keys()); }},
    {"CausalSelfAttention",
     "the cache's values",
     {1, 3, 2, 4},
     kOnlyF32,
     [](const Tensor& t) { Decode(Sequence(), Keys(), t); }},
    {"KeyValueCache", "keys", {1, 3, 2, 4}, kAllFloating, [](const Tensor& t) { Drop(t, Keys()); }},
    {"KeyValueCache", "values", {1, 3, 2, 4}, kAllFloating, [](const Tensor& t) { Drop(Keys(), t); }},
    {"RmsNorm|Linear",
     "x",
     {1, 3, 8},
     kF32AndHalf,
     [](const Tensor& t) {
       GptBlock(
           {.attention = {.width = 8, .heads = 2}, .mlp = {.in_features = 8, .hidden_features = 4, .out_features = 8}},
           Random())
           .Forward(t);
     }},
    {"Gpt", "tokens", {1, 3}, kOnlyI32, [](const Tensor& t) { TinyGpt()->Forward(t); }},
    {"Gpt", "tokens", {1, 3}, kOnlyI32, [](const Tensor& t) { TinyGpt()->Loss(t, Tokens()); }},
    {"Gpt", "targets", {1, 3}, kOnlyI32, [](const Tensor& t) { TinyGpt()->Loss(Tokens(), t); }},
    {"Gpt",
     "tokens",
     {1, 3},
     kOnlyI32,
     [](const Tensor& t) {
       const auto gpt = TinyGpt();
       KeyValueCache cache = gpt->MakeCache(1, 4);
       gpt->Decode(t, cache);
     }},
    {"ReluSquared", "x", {3, 8}, kAllFloating, [](const Tensor& t) { Activate(Activation::kReluSquared, t); }},
    {"NonZeroShare", "tensor", {3, 8}, kAllFloating, [](const Tensor& t) { NonZeroShare(t); }},
    {"Module", "parameter 'p'", {3, 8}, kAllFloating, [](const Tensor& t) { Registers().Register(t); }, true},
};

TEST(WrongDTypesTest, EveryModuleNamesItselfOrItsOpAndTheArgument) {
  for (const Argument& argument : kArguments) test::ExpectNamesWrongDTypes(argument);
}

}  // namespace
}  // namespace twofour::nn
