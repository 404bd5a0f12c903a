#pragma once

#include <span>
#include <string_view>

namespace twofour::sparse {

/// What says how important a weight is when a mask is chosen. Formulas and sources are in weight_scores.h.
enum class MaskScore {
  kMagnitude,
  kRia,  ///< RiaScores: relative to the weight's row and column, times the root of the norm of its input.
  kActivation,
  kWanda,
  kHessian,
  kObs,
  kGradient,
  kGblm,
  kRandom,
};

/// "magnitude", "ria", "activation", "wanda", "hessian", "obs", "gradient", "gblm", "random".
std::string_view NameOf(MaskScore score);

/// All of them, in this order.
std::span<const MaskScore> MaskScores();

/// What a score is made of besides the weight.
struct ScoreNeeds {
  bool inputs = false;     ///< Numbers of each input feature.
  bool gram = false;       ///< Products of any two input features.
  bool gradients = false;  ///< The loss's gradients of the weight.
  /// Of both, the means of their magnitudes. Otherwise, their norms.
  bool magnitudes = false;
};
ScoreNeeds NeedsOf(MaskScore score);

}  // namespace twofour::sparse
