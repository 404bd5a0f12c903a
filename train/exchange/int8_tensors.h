#pragma once

#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/train/exchange/quantized_forms.h"
#include "twofour/train/exchange/quantized_weight.h"

namespace twofour::train {

/// Appends the tensors of the weight of int8 of the linear `name`. Throws Error, beginning with the tensor's name,
/// where its form cannot hold it.
void AppendInt8Tensors(const std::string& name, const MaskedInt8Matrix& weight, std::vector<NamedTensor>& out);

/// The weight that a file holds, which need not be trustworthy, of the linear `name`. Throws Error, beginning with
/// `source`, as TakeQuantizedLinears does.
MaskedInt8Matrix ReadInt8Tensors(const StoredWeight& stored, const std::string& source, const std::string& name);

}  // namespace twofour::train
