#pragma once

#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/train/exchange/packed_tensors.h"
#include "twofour/train/exchange/tensor_match.h"

namespace twofour::train {

struct ExportOptions {
  /// Whether masked weights are exported as the layers multiply with them, with +0 where the mask drops an entry.
  /// False: the dense master weights with their masks, as model.safetensors has them.
  bool masked = true;
  /// The form of masked weights. All forms but kDense need `masked`.
  WeightForm form = WeightForm::kDense;
  /// n:m along rows for WeightForm::kPacked, V:N:M for kPackedVnm.
  sparse::MaskFormat pattern = sparse::MaskFormat::Rows(2, 4);
  DType dtype = DType::kF32;  ///< Of floating tensors: f32, f16 or bf16, rounded to nearest even.
  /// What parameters are called in the file; empty: their own names. Only for kDense.
  std::vector<TensorMatch> names = {};
};

/// The tensors of a file of a trained model.
struct ExportedTensors {
  std::vector<NamedTensor> tensors;
  /// How many weights have a mask in force or, for forms other than kDense and if no weight has one, zeros in place.
  int64_t masked_weights = 0;
  int64_t vanished = 0;  ///< Elements other than 0 that are too small for the dtype, and so became 0.
};

/// Throws Error that names the tensor if a weight does not have the pattern of its form (with row and columns), if an
/// element is too large for the dtype, if a packed weight is to have another name, and if no weight is masked or has
/// zeros in place although a form for such weights is asked for.
ExportedTensors ExportTensors(nn::Module& model, const ExportOptions& options);

}  // namespace twofour::train
