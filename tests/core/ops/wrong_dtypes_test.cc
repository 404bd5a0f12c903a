// Calls every op with every dtype in each of its arguments.
#include "tests/support/wrong_dtypes.h"

#include <gtest/gtest.h>

#include "twofour/core/ops.h"
#include "twofour/core/random.h"

namespace twofour {
namespace {

using test::Argument;
using test::kAllFloating;
using test::kF32AndF64;
using test::kF32AndHalf;
using test::kOnlyF32;
using test::kOnlyI32;

Tensor Ones() { return Tensor::Full({2, 4}, 1); }
Tensor Heads() { return Tensor::Full({1, 3, 2, 4}, 1); }
Tensor Targets() { return Tensor::Full({2}, 1, DType::kI32); }

const Argument kArguments[] = {
    {"Relu", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Relu(t); }},
    {"ReluSquared", "x", {2, 4}, kAllFloating, [](const Tensor& t) { ReluSquared(t); }},
    {"Gelu", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Gelu(t); }},
    {"GeluTanh", "x", {2, 4}, kAllFloating, [](const Tensor& t) { GeluTanh(t); }},
    {"SoftCap", "x", {2, 4}, kAllFloating, [](const Tensor& t) { SoftCap(t, 2); }},
    {"Tanh", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Tanh(t); }},
    {"Sigmoid", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Sigmoid(t); }},
    {"Exp", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Exp(t); }},
    {"Log", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Log(t); }},
    {"Expand",
     "x",
     {2, 4},
     kAllFloating,
     [](const Tensor& t) {
       Expand(t, {3, 2, 4});
     }},
    {"SwiGlu", "gate", {2, 4}, kAllFloating, [](const Tensor& t) { SwiGlu(t, t); }},
    {"SwiGlu", "up", {2, 4}, kOnlyF32, [](const Tensor& t) { SwiGlu(Ones(), t); }},
    {"Add", "a", {2, 4}, kAllFloating, [](const Tensor& t) { Add(t, t); }},
    {"Add", "b", {2, 4}, kOnlyF32, [](const Tensor& t) { Add(Ones(), t); }},
    {"Sub", "a", {2, 4}, kAllFloating, [](const Tensor& t) { Sub(t, t); }},
    {"Sub", "b", {2, 4}, kOnlyF32, [](const Tensor& t) { Sub(Ones(), t); }},
    {"Div", "a", {2, 4}, kAllFloating, [](const Tensor& t) { Div(t, t); }},
    {"Div", "b", {2, 4}, kOnlyF32, [](const Tensor& t) { Div(Ones(), t); }},
    {"Mul", "a", {2, 4}, kAllFloating, [](const Tensor& t) { Mul(t, t); }},
    {"Mul", "b", {2, 4}, kOnlyF32, [](const Tensor& t) { Mul(Ones(), t); }},
    {"Scale", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Scale(t, 2); }},
    {"Sum", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Sum(t); }},
    {"Sum", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Sum(t, 1); }},
    {"Mean", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Mean(t); }},
    {"Mean", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Mean(t, 0); }},
    {"CausalAttention", "q", {1, 3, 2, 4}, kAllFloating, [](const Tensor& t) { CausalAttention(t, t, t); }},
    {"CausalAttention", "k", {1, 3, 2, 4}, kOnlyF32, [](const Tensor& t) { CausalAttention(Heads(), t, Heads()); }},
    {"CausalAttention", "v", {1, 3, 2, 4}, kOnlyF32, [](const Tensor& t) { CausalAttention(Heads(), Heads(), t); }},
    {"Dropout", "x", {2, 4}, kAllFloating, [](const Tensor& t) { Dropout(t, 0.5, {}); }},
    {"Embedding", "indices", {2}, kOnlyI32, [](const Tensor& t) { Embedding(t, Ones()); }},
    {"Embedding", "weight", {2, 4}, kF32AndF64, [](const Tensor& t) { Embedding(Targets(), t); }},
    {"CrossEntropyLoss", "logits", {2, 4}, kAllFloating, [](const Tensor& t) { CrossEntropyLoss(t, Targets()); }},
    {"CrossEntropyLoss", "targets", {2}, kOnlyI32, [](const Tensor& t) { CrossEntropyLoss(Ones(), t); }},
    {"CrossEntropyLoss",
     "class_weights",
     {4},
     kF32AndF64,
     [](const Tensor& t) { CrossEntropyLoss(Ones(), Targets(), {.class_weights = t}); },
     true},
    {"MseLoss", "prediction", {2, 4}, kAllFloating, [](const Tensor& t) { MseLoss(t, t); }},
    {"MseLoss", "target", {2, 4}, kOnlyF32, [](const Tensor& t) { MseLoss(Ones(), t); }},
    {"HuberLoss", "prediction", {2, 4}, kAllFloating, [](const Tensor& t) { HuberLoss(t, t); }},
    {"HuberLoss", "target", {2, 4}, kOnlyF32, [](const Tensor& t) { HuberLoss(Ones(), t); }},
    {"LinearCrossEntropy", "x", {2, 4}, kF32AndHalf, [](const Tensor& t) { LinearCrossEntropy(t, Ones(), Targets()); }},
    {"LinearCrossEntropy",
     "weight",
     {2, 4},
     kOnlyF32,
     [](const Tensor& t) { LinearCrossEntropy(Ones(), t, Targets()); }},
    {"LinearCrossEntropy", "targets", {2}, kOnlyI32, [](const Tensor& t) { LinearCrossEntropy(Ones(), Ones(), t); }},
    {"MatMul", "a", {4, 2}, kOnlyF32, [](const Tensor& t) { MatMul(t, Ones()); }},
    {"MatMul", "b", {4, 2}, kOnlyF32, [](const Tensor& t) { MatMul(Ones(), t); }},
    {"Linear", "x", {2, 4}, kF32AndHalf, [](const Tensor& t) { Linear(t, Ones()); }},
    {"Linear", "weight", {2, 4}, kOnlyF32, [](const Tensor& t) { Linear(Ones(), t); }},
    {"Linear", "bias", {2}, kOnlyF32, [](const Tensor& t) { Linear(Ones(), Ones(), t); }, true},
    {"RmsNorm", "x", {2, 4}, kAllFloating, [](const Tensor& t) { RmsNorm(t); }},
    {"RmsNorm", "weight", {4}, kOnlyF32, [](const Tensor& t) { RmsNorm(Ones(), t); }, true},
    {"LayerNorm", "x", {2, 4}, kAllFloating, [](const Tensor& t) { LayerNorm(t); }},
    {"Conv2d",
     "x",
     {1, 2, 2, 1},
     kF32AndHalf,
     [](const Tensor& t) { Conv2d(t, Ones(), Tensor(), {.kernel_size = 2}); }},
    {"Conv2d",
     "weight",
     {2, 4},
     kOnlyF32,
     [](const Tensor& t) {
       Conv2d(Tensor::Zeros({1, 2, 2, 1}), t, Tensor(), {.kernel_size = 2});
     }},
    {"Conv2d",
     "bias",
     {2},
     kOnlyF32,
     [](const Tensor& t) {
       Conv2d(Tensor::Zeros({1, 2, 2, 1}), Ones(), t, {.kernel_size = 2});
     },
     true},
    {"MaxPool2d", "x", {1, 2, 2, 3}, kAllFloating, [](const Tensor& t) { MaxPool2d(t, {.kernel_size = 2}); }},
    {"LayerNorm", "weight", {4}, kOnlyF32, [](const Tensor& t) { LayerNorm(Ones(), t); }, true},
    {"LayerNorm", "bias", {4}, kOnlyF32, [](const Tensor& t) { LayerNorm(Ones(), Tensor(), t); }, true},
    {"Rotary", "x", {1, 3, 2, 4}, kAllFloating, [](const Tensor& t) { Rotary(t); }},
    {"Softmax", "x", {2, 4}, kF32AndF64, [](const Tensor& t) { Softmax(t); }},
    {"LogSoftmax", "x", {2, 4}, kF32AndF64, [](const Tensor& t) { LogSoftmax(t); }},
    {"FillUniform",
     "tensor",
     {2, 4},
     kF32AndF64,
     [](const Tensor& t) {
       Tensor u = t;
       FillUniform(u, 0, 1, {});
     }},
    {"FillNormal",
     "tensor",
     {2, 4},
     kF32AndF64,
     [](const Tensor& t) {
       Tensor u = t;
       FillNormal(u, 0, 1, {});
     }},
};

TEST(WrongDTypesTest, EveryOpNamesItselfAndTheArgument) {
  for (const Argument& argument : kArguments) test::ExpectNamesWrongDTypes(argument);
}

}  // namespace
}  // namespace twofour
