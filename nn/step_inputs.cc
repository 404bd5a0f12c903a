#include "twofour/nn/step_inputs.h"

#include "twofour/core/kernels/elements/reduce.h"

namespace twofour::nn {

void StepInputs::OnLinear(const Module& linear, const LinearInput& input) {
  const auto extent = extents_.find(&linear);
  if (extent == extents_.end()) return;
  const Tensor values = input.Values();
  if (kernels::FindNonFinite(values.numel(), values.data<float>()) >= 0) return;
  statistics_.try_emplace(&linear, values.cols(), extent->second).first->second.Add(values, "input");
}

const sparse::InputStatistics* StepInputs::Of(const Module& linear) const {
  const auto found = statistics_.find(&linear);
  return found == statistics_.end() ? nullptr : &found->second;
}

}  // namespace twofour::nn
