#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/core/state_reader.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/scores/mask_score.h"

namespace twofour::nn {

/// What the score of a weight needs to know about its inputs and gradients, collected while the weight is trained.
/// These are averages over optimizer steps, with weights that fall by kDecay from each step to the one before it: of
/// the sums of squares of each input feature over the samples of a step (for kObs the whole Gram matrix), or of the
/// mean of |x|; and of g^2 or |g|. Only what the score needs is kept (sparse::NeedsOf).
///
/// Numbers are f64: [in_features], for kObs [in_features, in_features], and [out_features, in_features] for gradients.
/// Results do not depend on the number of threads. Not for use by several threads at once.
class TrainingStatistics {
 public:
  static constexpr double kDecay = 0.9;

  /// For magnitudes, which need nothing.
  TrainingStatistics() = default;
  /// For a weight [out_features, in_features].
  TrainingStatistics(sparse::MaskScore score, const Shape& shape);

  const sparse::ScoreNeeds& needs() const { return needs_; }
  /// What AddInputs has to be given.
  sparse::InputStatistics::Extent extent() const;

  /// Takes account of the inputs of another step. Throws Error if they have another number of features, or no Gram
  /// matrix where one is needed.
  void AddInputs(const sparse::InputStatistics& step);
  /// What of `inputs` AddInputs uses: the number of samples, then sums, f64 [InputSumsSize()]. Those of several
  /// processes may be added up.
  Tensor InputSumsOf(const sparse::InputStatistics& inputs) const;
  /// 0 if the score needs no inputs.
  int64_t InputSumsSize() const;
  /// As AddInputs.
  void AddInputSums(const Tensor& sums);
  /// Takes account of the gradient of another step, f32 of the weight's shape; but not of one that is not finite, which
  /// is the business of whoever looks at the loss. Throws Error on another tensor.
  void AddGradient(const Tensor& gradient);

  /// By whose magnitudes a mask is chosen for a weight f32 [out_features, in_features]: the weight for kMagnitude, else
  /// sparse::ScoresOf. While no inputs are known, all count as equally large and as unrelated to each other. While no
  /// gradients are known, masks are chosen by magnitude. For kRandom, `key` decides. Throws Error as ScoresOf does.
  Tensor Scores(const Tensor& weight, const RandomKey& key, std::string_view name) const;

  /// Appends what is known, under names that begin with `<weight>_mask`: `_input_squares`, `_input_magnitudes` or
  /// `_input_products` (the Gram matrix); `_gradient_squares` or `_gradient_magnitudes`.
  void AppendState(const std::string& weight, std::vector<NamedTensor>& state) const;
  /// Reads what AppendState wrote, and changes nothing yet. What the state lacks is not known then.
  std::function<void()> ReadState(const std::string& weight, StateReader& reader);

 private:
  std::string InputsName(const std::string& weight) const;
  std::string GradientsName(const std::string& weight) const;
  Shape InputsShape() const;
  sparse::InputStatistics KnownInputs() const;

  sparse::MaskScore score_ = sparse::MaskScore::kMagnitude;
  sparse::ScoreNeeds needs_;
  Shape shape_;
  Tensor inputs_, gradients_;  // Undefined while nothing is known.
};

}  // namespace twofour::nn
