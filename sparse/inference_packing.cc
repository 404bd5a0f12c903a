#include "twofour/sparse/inference_packing.h"

#include <cassert>

#include "twofour/sparse/formats/packed_vnm.h"
#include "twofour/sparse/row_packed_weight.h"
#include "twofour/sparse/vnm_packed_weight.h"

namespace twofour::sparse {

using Kind = MaskFormat::Kind;

bool HasInferenceForm(const MaskFormat& format) {
  return format.kind == Kind::kRows || format.kind == Kind::kTransposable || format.is_vnm();
}

std::shared_ptr<const InferenceWeight> PackForInference(const Tensor& weight, const Mask& mask,
                                                        const MaskFormat& format, DType values,
                                                        const std::string& name) {
  assert(HasInferenceForm(format));
  if (!format.is_vnm()) {
    return std::make_shared<const RowPackedWeight>(weight, mask, MaskFormat::Rows(format.n, format.m), values);
  }
  return std::make_shared<const VnmPackedWeight>(PackVnm(weight, format.vnm(), name), values, name);
}

size_t InferenceBytes(int64_t rows, int64_t cols, const MaskFormat& format, DType values) {
  // The layout alone decides, so a weight of zeros tells.
  return PackForInference(Tensor::Zeros({rows, cols}), Mask(rows, cols), format, values, "weight")->bytes();
}

}  // namespace twofour::sparse
