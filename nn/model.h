#pragma once

#include <cstdint>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// The products of a linear with its weight in one forward pass. The last one may have fewer rows.
struct LinearProducts {
  int64_t rows = 0, count = 1;
};

/// A module that takes its input from outside, such as samples or tokens, and gives logits. It decides in which
/// precision everything between them is computed.
///
/// In bf16 (mixed precision: Micikevicius et al., "Mixed Precision Training", 2018; Kalamkar et al., "A Study of
/// BFLOAT16 for Deep Learning Training", 2019) the input, or its embedding, is rounded once. From there to the head,
/// activations, what is saved of them for the backward pass, and their gradients are bf16. Products round weights to
/// bf16 and add up in f32. Parameters, their gradients, logits and losses are f32. So the precision is no part of a
/// model's state: a state dict is the same in either, and may be loaded in the other one.
///
/// Layers compute in the dtype of their input, so a module of your own that derives from Model only has to use
/// FromInput and Logits.
class Model : public Module {
 public:
  /// The dtype of activations: f32, which is the default, or bf16. It may change between passes, to evaluate in f32
  /// what is trained in bf16 for example, but only while nothing else uses the model. Throws Error for other dtypes.
  void SetActivationDType(DType dtype);
  DType activation_dtype() const { return activation_dtype_; }

  /// What the linear with this full name computes in a pass over so many samples or tokens: one product with a row for
  /// each of them, unless the linear is that of a convolution.
  virtual LinearProducts ProductsOf(const std::string& /*linear*/, int64_t samples) const { return {samples}; }

 protected:
  /// The input x, or the embedding of one, in the dtype of activations. Only f32 is converted: an x of 16 bits stays as
  /// it is and takes the pass with it, also where activations are f32.
  Tensor FromInput(const Tensor& x) const;
  /// head(x). Where activations are bf16, the result is f32. If the head is a Linear, it is not even rounded to bf16 on
  /// the way.
  Tensor Logits(Module& head, const Tensor& x) const;

 private:
  DType activation_dtype_ = DType::kF32;
};

}  // namespace twofour::nn
