#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/prune/gradient_statistics.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/scores/mask_score.h"

namespace twofour::sparse {

/// What scores are made of besides the weight. What a score needs must be there (NeedsOf).
struct ScoreInputs {
  const InputStatistics* inputs = nullptr;
  const GradientStatistics* gradients = nullptr;
  double dampening = 0.01;       ///< kObs: see FactorDampened.
  double gradient_factor = 100;  ///< kGblm: a.
  RandomKey key = {};            ///< kRandom.
  /// Gets what the user should know, one line each, beginning with the weight's name. May be null.
  std::vector<std::string>* notes = nullptr;
};

/// Scores of a weight f32 [out, in], which are never negative: the larger, the sooner is a weight kept. Throws Error if
/// `inputs` lacks what the score needs or has another size; throws Error (a runtime failure) that begins with `name` if
/// a weight is not finite, or if a score or a norm is more than a float can hold. Scores that are too small for a float
/// are 0: those of kHessian and kObs are squares, so where weights times norms are below some 1e-23, all of them are.
Tensor ScoresOf(MaskScore score, const Tensor& weight, const ScoreInputs& inputs, std::string_view name = "weight");

// The scores, each in a file of its own. w is the weight in row i and column j, x_j the feature that it multiplies.
// Those of a weight throw as ScoresOf does.

/// kActivation: |w| mean |x_j|.
Tensor ActivationScores(const Tensor& weight, const InputStatistics& inputs, std::string_view name = "weight");

/// kWanda: |w| ||x_j||_2 (Sun et al., "A Simple and Effective Pruning Approach for Large Language Models", ICLR 2024).
Tensor WandaScores(const Tensor& weight, const InputStatistics& inputs, std::string_view name = "weight");

/// kHessian: w^2 H_jj / 2 with H = X^T X, what the squared error of the outputs gains if w alone goes and nothing makes
/// up for it (LeCun et al., "Optimal Brain Damage", 1990). As H_jj = ||x_j||^2, it is half the square of Wanda's score:
/// they differ where scores are added up, as over tiles and blocks.
Tensor HessianScores(const Tensor& weight, const InputStatistics& inputs, std::string_view name = "weight");

/// kObs: w^2 / [H^-1]_jj, what the squared error gains at least if w alone goes and all other weights of the row make
/// up for it (Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain Surgeon", 1993), with H
/// dampened as FactorDampened does.
Tensor ObsScores(const Tensor& weight, const InputStatistics& inputs, double dampening,
                 std::string_view name = "weight", std::vector<std::string>* notes = nullptr);

/// kGradient: the mean over samples of |w g| (Molchanov et al., "Importance Estimation for Neural Network Pruning",
/// CVPR 2019, without a square).
Tensor GradientScores(const Tensor& weight, const GradientStatistics& gradients, std::string_view name = "weight");

/// kGblm: |w| ||x_j||_2 + a |w| ||g||_2, norms over samples (Das et al., "Beyond Size: How Gradients Shape Pruning
/// Decisions in Large Language Models", 2023).
Tensor GblmScores(const Tensor& weight, const InputStatistics& inputs, const GradientStatistics& gradients, double a,
                  std::string_view name = "weight");

/// kRandom: uniform numbers in [0, 1) by the key alone, the baseline that every other score must beat.
Tensor RandomScores(const Shape& shape, const RandomKey& key);

}  // namespace twofour::sparse
