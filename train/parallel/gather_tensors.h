#pragma once

#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/tensor.h"

namespace twofour::train {

/// The tensors of all ranks on the first one, [i] those of rank i; nothing elsewhere. Elements travel from memory to
/// memory, tensor by tensor, so that little more than the result is needed.
std::vector<std::vector<NamedTensor>> GatherTensors(comm::Communicator& ranks, const std::vector<NamedTensor>& mine);

}  // namespace twofour::train
