#pragma once

#include <cstdint>
#include <memory>
#include <ostream>

#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

inline void PrintTo(const FusedMlpKernel& kernel, std::ostream* out) { *out << kernel.name; }

/// The sizes of an MLP. The larger the mean of c_fc's bias, the fewer of its activations are zero.
struct MlpSizes {
  int64_t batch, in, hidden, out;
  float fc_bias = 0;
};

/// Runs the parts of a FusedMlpKernel on random numbers, and compares what each of them gives with a product in double
/// of what it got, activations of the part before included. So the allowed errors are those of one product and one
/// rounding. Before a part reads activations, all values beyond the batch are made NaN.
class MlpKernelExample {
 public:
  MlpKernelExample(const FusedMlpKernel& kernel, const MlpSizes& sizes);

  /// The hidden activations and the words that say where they are not zero.
  void CheckHidden();
  /// c_proj's forward product, whole and by lists, and its weight gradient. Call CheckHidden before.
  void CheckForward();
  /// The gradient of the hidden activations, sampled and whole, then c_fc's input gradient, whole and by lists, and its
  /// weight gradient.
  void CheckBackward();

 private:
  struct Layer {
    Tensor weight;  // f32 [out, in], pruned entries included.
    Mask mask;
    Tensor masked;  // The weight with zeros.
    Tensor bias;    // f32 [out]
    std::unique_ptr<PackedWeight> forward, input_grad;
  };

  Layer MakeLayer(int64_t out, int64_t in, uint64_t seed, float mean_bias) const;
  /// The masked weight as products of this kernel see it, in double.
  Tensor Rounded(const Layer& layer) const;
  /// The activations, row-major [batch, hidden], in double.
  Tensor HiddenRows() const;
  void PoisonBeyondBatch();
  /// Checks the gradient that takes the place of the hidden activations, and its sums. Returns it.
  Tensor CheckHiddenGrad(bool sampled);
  /// `lists` times the masked weight, or its transpose, and the bias if it is not null.
  Tensor ListProduct(const NonZeroLists& lists, const Layer& layer, bool transposed, const float* bias) const;

  const FusedMlpKernel& kernel_;
  const MlpSizes sizes_;
  const DType activation_;
  Layer fc_, proj_;
  Tensor x_, dy_;
  PanelMatrix hidden_;
};

}  // namespace twofour::sparse
