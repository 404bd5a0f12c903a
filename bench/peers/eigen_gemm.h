#pragma once

#include "bench/peers/peer.h"

namespace twofour::bench {

/// C = op(A) op(B) with Eigen, which chooses its instructions when it is compiled: eigen_gemm.cc is compiled once for
/// each instruction set.
using EigenGemm = void(const GemmShape& shape, const float* a, const float* b, float* c);
EigenGemm EigenGemmBaseline;
EigenGemm EigenGemmAvx2;  // This one and the next exist on x86-64 only.
EigenGemm EigenGemmAvx512;

}  // namespace twofour::bench
