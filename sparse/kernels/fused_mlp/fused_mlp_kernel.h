#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// The parts of y = c_proj(relu(c_fc(x))^2) and its backward pass that keep the hidden activations in panels and use
/// their zeros. They give the same bits for any number of threads.
///
/// Weights are packed by LinearFor their format, for the direction that is named. x and y and their gradients are
/// row-major, and like the hidden activations they are of the dtype that `linear` takes.
struct FusedMlpKernel {
  std::string name;                ///< What TWOFOUR_KERNEL calls it.
  const LinearKernel* linear;      ///< The pair-bucket kernel of the same instruction set.
  const LinearKernel* vnm_linear;  ///< The kernel of the same instruction set for V:N:M.
  int64_t panel;                   ///< Batch rows of a panel.
  /// Activations with at most this share of non-zeros are multiplied faster as lists with a dense weight than whole
  /// with a 2:4 weight. For sparser weights, see ShareFor. To measure it, set it to 0 and to 1 where the kernel is
  /// defined, and compare the times of the sparse step that `bench_mlp --activation-density P` prints for several P.
  double list_density;
  /// Activations with at most this share of non-zeros: their gradient is computed faster by inner products, only where
  /// they are not zero, than whole by a product with a 2:4 weight. Measured likewise.
  double sample_density;

  /// The kernel that packs weights of a format: one of the two.
  const LinearKernel& LinearFor(const MaskFormat& format) const { return format.is_vnm() ? *vnm_linear : *linear; }
  /// list_density or sample_density for weights of another format than 2:4. Products with them take less time, while
  /// lists and inner products take the same.
  static double ShareFor(const MaskFormat& format, double density);

  /// hidden = relu(x W^T + bias)^2, for x [batch, in_features of c_fc] and bias [hidden] or null. `fc` is packed for
  /// kForward.
  void (*hidden)(const PackedWeight& fc, const void* x, const float* bias, PanelMatrix& hidden);
  /// out [batch, rows of the packed matrix] = activations times the transpose of the packed matrix, plus bias or null.
  /// This is c_proj's forward product (`weight` packed for kForward) and c_fc's input gradient (packed for kInputGrad).
  void (*product)(const PackedWeight& weight, const PanelMatrix& activations, const float* bias, void* out);
  /// Replaces the hidden activations by the gradient before ReLU^2, 2 sqrt(hidden) (dy W), for dy [batch, out_features]
  /// and c_proj's W packed for kInputGrad. bias_grad [hidden] becomes the sum of that gradient over the batch.
  void (*hidden_grad)(const PackedWeight& proj, const void* dy, PanelMatrix& hidden, float* bias_grad);
  /// The same with the dense `weight` of c_proj under its mask, [out_features, hidden].
  void (*sampled_hidden_grad)(const float* weight, const MaskView& mask, const void* dy, PanelMatrix& hidden,
                              float* bias_grad);

  /// Makes lists of the non-zeros of activations, as list_product takes them.
  std::unique_ptr<NonZeroLists> (*lists)(const PanelMatrix& matrix, NonZeroLists::Rows rows);
  /// Lists of other values, which are zero where those of `same_zeros` are, so that counts may be used again.
  std::unique_ptr<NonZeroLists> (*other_values)(const PanelMatrix& matrix, const NonZeroLists& same_zeros);
  /// A dense matrix, row-major or transposed. Its elements are those of x, or f32 with `is_weight`.
  struct Dense {
    const void* data;
    int64_t ld;
    bool transposed = false;
    bool is_weight = false;
  };
  /// Where the product goes: dense, without padding.
  struct Output {
    void* data;  ///< [rows, n] of the dtype of y.
    /// If true, it is a weight gradient instead, f32; `transposed` then tells that it is [n, rows].
    bool is_weight = false;
    bool transposed = false;
  };
  /// out = lists [rows, cols] times matrix [cols, n], plus bias [n] or null.
  void (*list_product)(const NonZeroLists& lists, const Dense& matrix, int64_t n, const float* bias, const Output& out);
};

/// Kernels for floats and then those that widen bf16, each for every instruction set, fastest first, and then those for
/// pairs of bf16. ChooseFusedMlpKernel takes the one whose linear kernel is the choice for all products.
std::span<const FusedMlpKernel> FusedMlpKernels();

}  // namespace twofour::sparse
