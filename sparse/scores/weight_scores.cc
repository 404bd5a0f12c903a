#include "twofour/sparse/scores/weight_scores.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/ria_scores.h"

namespace twofour::sparse {

Tensor ScoresOf(MaskScore score, const Tensor& weight, const ScoreInputs& given, std::string_view name) {
  RequireInputs(score, weight, given.inputs, given.gradients, name);
  switch (score) {
    case MaskScore::kMagnitude:
      return ScoresByElement(score, weight, name, [](double w, int64_t /*i*/) { return w; });
    case MaskScore::kRia:
      return RiaScores(weight, given.inputs->Norms(name), name);
    case MaskScore::kActivation:
      return ActivationScores(weight, *given.inputs, name);
    case MaskScore::kWanda:
      return WandaScores(weight, *given.inputs, name);
    case MaskScore::kHessian:
      return HessianScores(weight, *given.inputs, name);
    case MaskScore::kObs:
      return ObsScores(weight, *given.inputs, given.dampening, name, given.notes);
    case MaskScore::kGradient:
      return GradientScores(weight, *given.gradients, name);
    case MaskScore::kGblm:
      return GblmScores(weight, *given.inputs, *given.gradients, given.gradient_factor, name);
    case MaskScore::kRandom:
      return RandomScores(weight.shape(), given.key);
  }
  throw Error(fmt::format("{}: no such score", name));
}

}  // namespace twofour::sparse
