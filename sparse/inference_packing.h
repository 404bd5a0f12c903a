#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/inference_weight.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// Whether weights with masks of a format have a packed form for inference: n:m along rows or both ways, and V:N:M.
bool HasInferenceForm(const MaskFormat& format);

/// Packs f32 `weight`, which the mask was applied to, in values of f32 or bf16. The format is one that has a form.
/// Throws Error as RowPackedWeight and PackVnm do, the latter with `name`.
std::shared_ptr<const InferenceWeight> PackForInference(const Tensor& weight, const Mask& mask,
                                                        const MaskFormat& format, DType values,
                                                        const std::string& name);

/// The bytes in memory of a packed weight [rows, cols], whatever it holds.
size_t InferenceBytes(int64_t rows, int64_t cols, const MaskFormat& format, DType values);

}  // namespace twofour::sparse
