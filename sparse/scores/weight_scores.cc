#include "twofour/sparse/scores/weight_scores.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/ria_scores.h"

namespace twofour::sparse {
namespace {

void RequireInputs(MaskScore score, const Tensor& weight, const ScoreInputs& given, std::string_view name) {
  const ScoreNeeds needs = NeedsOf(score);
  const auto lacks = [&](bool needed, bool there, std::string_view what) {
    if (needed && !there) throw Error(fmt::format("{}: scores of {} need {}", name, NameOf(score), what));
  };
  lacks(needs.inputs, given.inputs != nullptr && given.inputs->samples() > 0, "the linear's inputs");
  lacks(needs.gram, given.inputs != nullptr && given.inputs->has_gram(), "a Gram matrix of the linear's inputs");
  lacks(needs.gradients, given.gradients != nullptr && given.gradients->samples() > 0, "gradients of the weight");
  if (needs.inputs && given.inputs->in_features() != weight.dim(1)) {
    throw Error(fmt::format("{}: shape {} with inputs of {} features, expected as many as columns", name,
                            ToString(weight.shape()), given.inputs->in_features()));
  }
  if (needs.gradients && given.gradients->shape() != weight.shape()) {
    throw Error(fmt::format("{}: shape {} with gradients of shape {}, expected equal shapes", name,
                            ToString(weight.shape()), ToString(given.gradients->shape())));
  }
}

}  // namespace

Tensor ScoresOf(MaskScore score, const Tensor& weight, const ScoreInputs& given, std::string_view name) {
  ops::RequireDType("ScoresOf", name, weight, DType::kF32);
  if (weight.rank() != 2) throw Error(fmt::format("{}: shape {}, expected a matrix", name, ToString(weight.shape())));
  RequireInputs(score, weight, given, name);
  RequireFinite(weight, name);
  switch (score) {
    case MaskScore::kMagnitude:
      return ScoresByElement(weight, [](double w, int64_t /*i*/) { return w; });
    case MaskScore::kRia:
      return RiaScores(weight, given.inputs->Norms(), name);
    case MaskScore::kActivation:
      return ActivationScores(weight, *given.inputs);
    case MaskScore::kWanda:
      return WandaScores(weight, *given.inputs);
    case MaskScore::kHessian:
      return HessianScores(weight, *given.inputs);
    case MaskScore::kObs:
      return ObsScores(weight, *given.inputs, given.dampening, name);
    case MaskScore::kGradient:
      return GradientScores(weight, *given.gradients);
    case MaskScore::kGblm:
      return GblmScores(weight, *given.inputs, *given.gradients, given.gradient_factor);
    case MaskScore::kRandom:
      return RandomScores(weight.shape(), given.key);
  }
  throw Error(fmt::format("{}: no such score", name));
}

}  // namespace twofour::sparse
