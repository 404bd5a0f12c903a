// Calls every function that takes tensors with every dtype in each of its arguments.
#include "tests/support/wrong_dtypes.h"

#include <gtest/gtest.h>

#include <vector>

#include "twofour/optim/adamw.h"
#include "twofour/optim/clip.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/newton_schulz.h"
#include "twofour/optim/sgd.h"

namespace twofour::optim {
namespace {

using test::Argument;
using test::kAllFloating;
using test::kOnlyF32;

std::vector<ParameterGroup> GroupOf(const Tensor& tensor) { return {{{{"p", tensor}}, 0.0}}; }

const Argument kArguments[] = {
    {"optimizer", "parameter 'p'", {2, 4}, kOnlyF32, [](const Tensor& t) { Sgd(GroupOf(t), {}); }},
    {"optimizer", "parameter 'p'", {2, 4}, kOnlyF32, [](const Tensor& t) { AdamW(GroupOf(t), {}); }},
    {"optimizer", "parameter 'p'", {2, 4}, kOnlyF32, [](const Tensor& t) { Muon(GroupOf(t), {}); }},
    {"GradNorm",
     "parameter 1",
     {2, 4},
     kOnlyF32,
     [](const Tensor& t) {
       GradNorm({Tensor::Zeros({3}), t});
     }},
    {"ClipGradNorm",
     "parameter 1",
     {2, 4},
     kOnlyF32,
     [](const Tensor& t) {
       ClipGradNorm({Tensor::Zeros({3}), t}, 1.0, 2.0);
     }},
    {"Orthogonalize", "matrix", {2, 4}, kOnlyF32, [](const Tensor& t) { Orthogonalize(t, 1); }},
    {"DecayMatricesOnly",
     "parameter 'p'",
     {2, 4},
     kAllFloating,
     [](const Tensor& t) {
       DecayMatricesOnly({{"p", t}}, 0.1);
     }},
};

TEST(WrongDTypesTest, EveryFunctionNamesItselfAndTheArgument) {
  for (const Argument& argument : kArguments) test::ExpectNamesWrongDTypes(argument);
}

}  // namespace
}  // namespace twofour::optim
