#pragma once

#include <set>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"

namespace twofour::train {

/// The weights of a model's linears that nothing but products of bf16 reads in a step. Those that are also an
/// embedding, under a soft threshold, or rounded to fewer bits, are not among them.
std::set<const Tensor::Impl*> ProductWeights(nn::Module& model);

}  // namespace twofour::train
