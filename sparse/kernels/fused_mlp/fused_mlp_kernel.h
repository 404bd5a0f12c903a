#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// The parts of y = c_proj(relu(c_fc(x))^2) and its backward pass that keep the hidden activations in panels and use
/// their zeros. They give the same bits for any number of threads.
///
/// Weights are packed by `linear`, for the direction that is named. x and y and their gradients are row-major f32.
struct FusedMlpKernel {
  std::string name;            ///< What TWOFOUR_KERNEL calls it.
  const LinearKernel* linear;  ///< The pair-bucket kernel of the same instruction set.
  int64_t panel;               ///< Batch rows of a panel.
  /// Activations with at most this share of non-zeros are multiplied faster as lists with a dense weight than whole
  /// with a 2:4 weight. To measure it, set it to 0 and to 1 in fused_mlp_kernel.cc, and compare the times of the
  /// sparse step that `bench_mlp --activation-density P` prints for several P.
  double list_density;

  /// hidden = relu(x W^T + bias)^2, for x [batch, in_features of c_fc] and bias [hidden] or null. `fc` is packed for
  /// kForward.
  void (*hidden)(const PackedWeight& fc, const float* x, const float* bias, PanelMatrix& hidden);
  /// out [batch, rows of the packed matrix] = activations times the transpose of the packed matrix, plus bias or null.
  /// This is c_proj's forward product (`weight` packed for kForward) and c_fc's input gradient (packed for kInputGrad).
  void (*product)(const PackedWeight& weight, const PanelMatrix& activations, const float* bias, float* out);
  /// Replaces the hidden activations by the gradient before ReLU^2, 2 sqrt(hidden) (dy W), for dy [batch, out_features]
  /// and c_proj's W packed for kInputGrad. bias_grad [hidden] becomes the sum of that gradient over the batch.
  void (*hidden_grad)(const PackedWeight& proj, const float* dy, PanelMatrix& hidden, float* bias_grad);

  /// Makes lists of the non-zeros of activations, as list_product takes them.
  ActivationLists (*lists)(const PanelMatrix& matrix, ActivationLists::Rows rows);
  /// A dense matrix, row-major or transposed.
  struct Dense {
    const float* data;
    int64_t ld;
    bool transposed;
  };
  /// out [rows, n] = lists [rows, cols] times matrix [cols, n], plus bias [n] or null. With `out_transposed`, the
  /// transpose of this is written. `out` is dense, without padding.
  void (*list_product)(const ActivationLists& lists, const Dense& matrix, int64_t n, const float* bias, float* out,
                       bool out_transposed);
};

/// One for each instruction set, fastest first.
std::span<const FusedMlpKernel> FusedMlpKernels();

}  // namespace twofour::sparse
