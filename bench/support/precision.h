#pragma once

#include "twofour/core/dtype.h"

#include "bench/peers/peer.h"

namespace twofour::bench {

/// The dtype of activations and of their gradients.
inline DType ActivationDType(Precision precision) { return precision == Precision::kBf16 ? DType::kBF16 : DType::kF32; }

}  // namespace twofour::bench
