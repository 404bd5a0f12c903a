#pragma once

#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/train/exchange/quantized_forms.h"

namespace twofour::train {

/// Appends the tensors of the weight of fp8 or nvfp4 of the linear `name`.
void AppendLowBitTensors(const std::string& name, const sparse::LowBitParts& parts, std::vector<NamedTensor>& out);

/// The weight that a file holds, which need not be trustworthy, of the linear `name`. A packed one counts as 2:4 along
/// rows. Throws Error, beginning with `source`, as TakeQuantizedLinears does.
sparse::LowBitParts ReadLowBitTensors(const StoredWeight& stored, const std::string& source, const std::string& name);

}  // namespace twofour::train
