#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/mlp/activation_lists.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// The parts of y = c_proj(relu(c_fc(x))^2) and its backward pass that keep the hidden activations in panels and make
/// use of their zeros. The same bits for any number of threads.
///
/// Weights are packed by `linear`, for the direction named. x and y and their gradients are row-major f32.
struct MlpKernel {
  std::string name;            ///< What TWOFOUR_KERNEL calls it.
  const LinearKernel* linear;  ///< The pair-bucket kernel of the same instruction set.
  int64_t panel;               ///< Batch rows of a panel.
  /// Activations at most this dense (share of non-zeros) are multiplied faster by their lists and a dense weight than
  /// whole by a 2:4 weight, as measured: docs/performance.md.
  double list_density;

  /// hidden = relu(x W^T + bias)^2, x [batch, fc in_features], bias [hidden] or null; `fc` packed kForward.
  void (*hidden)(const PackedWeight& fc, const float* x, const float* bias, PanelMatrix& hidden);
  /// out [batch, rows of the packed matrix] = activations times the packed matrix transposed, plus bias or null:
  /// c_proj's forward (`weight` packed kForward) and c_fc's input gradient (packed kInputGrad).
  void (*product)(const PackedWeight& weight, const PanelMatrix& activations, const float* bias, float* out);
  /// Turns the hidden activations into the gradient before ReLU^2, 2 sqrt(hidden) (dy W), with dy
  /// [batch, out_features] and c_proj's W packed kInputGrad; bias_grad [hidden] = its sums over the batch.
  void (*hidden_grad)(const PackedWeight& proj, const float* dy, PanelMatrix& hidden, float* bias_grad);

  /// The non-zeros of activations, as list_product takes them.
  ActivationLists (*lists)(const PanelMatrix& matrix, ActivationLists::Rows rows);
  /// One dense matrix, row-major as it is or transposed.
  struct Dense {
    const float* data;
    int64_t ld;
    bool transposed;
  };
  /// out [rows, n] (or its transpose, as `out_transposed` says; dense, no padding) = lists [rows, cols] times
  /// matrix [cols, n], plus bias [n] or null.
  void (*list_product)(const ActivationLists& lists, const Dense& matrix, int64_t n, const float* bias, float* out,
                       bool out_transposed);
};

/// One for each instruction set, fastest first.
std::span<const MlpKernel> MlpKernels();

}  // namespace twofour::sparse
