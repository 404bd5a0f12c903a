#include "twofour/nn/activation_norms.h"

#include <cmath>
#include <cstddef>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::nn {

void ActivationNorms::OnLinear(const Module& linear, const LinearInput& input) {
  if (wanted_ && !wanted_(linear)) return;
  const Tensor values = input.Values();
  const int64_t rows = values.rows(), cols = values.cols();
  const float* const x = values.data<float>();
  std::vector<double>& sums = sums_[&linear];
  sums.resize(static_cast<size_t>(cols));
  // Each range has columns of its own, so the order of the sums does not depend on the threads.
  ParallelFor(cols, RowGrain(rows), [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = begin; col < end; ++col) {
        const auto value = static_cast<double>(x[row * cols + col]);
        sums[static_cast<size_t>(col)] += value * value;
      }
    }
  });
}

Tensor ActivationNorms::NormsOf(const Module& linear) const {
  const auto found = sums_.find(&linear);
  if (found == sums_.end()) throw Error("ActivationNorms: no forward pass went through the linear");
  Tensor norms = Tensor::Empty({static_cast<int64_t>(found->second.size())});
  float* out = norms.mutable_data<float>();
  for (const double sum : found->second) *out++ = static_cast<float>(std::sqrt(sum));
  return norms;
}

}  // namespace twofour::nn
