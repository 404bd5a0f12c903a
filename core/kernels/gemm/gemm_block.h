#pragma once

#include <string>

#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::kernels {

/// One block of a product, on the calling thread alone. k must be positive. Floats are multiplied by the library,
/// doubles by FastDoubleGemm or, where there is none, by Eigen.
void GemmBlock(const GemmProblem<float>& problem);
void GemmBlock(const GemmProblem<double>& problem);

/// Name and version of the library behind float products: "oneDNN 2.6.3" or "Eigen 3.4.0".
std::string GemmLibraryName();

}  // namespace twofour::kernels
