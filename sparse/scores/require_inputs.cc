#include "twofour/sparse/scores/require_inputs.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/finite_weight.h"

namespace twofour::sparse {

void RequireInputs(MaskScore score, const Tensor& weight, const InputStatistics* inputs,
                   const GradientStatistics* gradients, std::string_view name) {
  ops::RequireDType(NameOf(score), name, weight, DType::kF32);
  if (weight.rank() != 2) throw Error(fmt::format("{}: shape {}, expected a matrix", name, ToString(weight.shape())));
  const ScoreNeeds needs = NeedsOf(score);
  const auto lacks = [&](bool needed, bool there, std::string_view what) {
    if (needed && !there) throw Error(fmt::format("{}: scores of {} need {}", name, NameOf(score), what));
  };
  lacks(needs.inputs, inputs != nullptr && inputs->samples() > 0, "the linear's inputs");
  lacks(needs.gram, inputs != nullptr && inputs->has_gram(), "a Gram matrix of the linear's inputs");
  lacks(needs.gradients, gradients != nullptr && gradients->samples() > 0, "gradients of the weight");
  if (needs.inputs && inputs->in_features() != weight.dim(1)) {
    throw Error(fmt::format("{}: shape {} with inputs of {} features, expected as many as columns", name,
                            ToString(weight.shape()), inputs->in_features()));
  }
  if (needs.gradients && gradients->shape() != weight.shape()) {
    throw Error(fmt::format("{}: shape {} with gradients of shape {}, expected equal shapes", name,
                            ToString(weight.shape()), ToString(gradients->shape())));
  }
  RequireFinite(weight, name);
}

void RequireScoresHeld(MaskScore score, const Tensor& scores, std::string_view name) {
  const int64_t at = kernels::FindNonFinite(scores.numel(), scores.data<float>());
  if (at < 0) return;
  throw Error(fmt::format("{}: scores of {} overflow: that of element [{}, {}] is more than a 32-bit float can hold",
                          name, NameOf(score), at / scores.dim(1), at % scores.dim(1)),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::sparse
