#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// What the inputs of a linear were like over many samples: what one-shot pruning asks for. Sums are f64 and grow batch
/// by batch, so they take memory for features and not for samples.
class InputStatistics {
 public:
  /// What is summed up. The Gram matrix takes in_features^2 numbers, and about as long as a product of floats with a
  /// weight of that shape.
  enum class Extent {
    kFeatures,  ///< Numbers of each feature alone.
    kGram,      ///< Products of any two features, too.
  };

  InputStatistics(int64_t in_features, Extent extent);

  /// Adds f32 `x` [..., in_features]. Results do not depend on the number of threads. Throws Error on another tensor,
  /// and (a runtime failure) that says `name` and the place if an element is not finite: nothing is added then.
  void Add(const Tensor& x, std::string_view name);

  int64_t in_features() const { return in_features_; }
  int64_t samples() const { return samples_; }  ///< Or tokens: rows of x.
  bool has_gram() const { return gram_.defined(); }

  // All of these are over the samples so far, [in_features].

  /// f32, the Euclidean norm of each feature: Wanda's ||x||_2. Throws Error (a runtime failure) that begins with `name`
  /// if one is more than a float can hold.
  Tensor Norms(std::string_view name = "weight") const;
  Tensor MeanMagnitudes() const;  ///< f32, the mean of |x|.
  Tensor Means() const;           ///< f64.
  Tensor Variances() const;       ///< f64, divided by the number of samples.
  /// f64 [in_features, in_features], X^T X with X [samples, in_features], whose products are taken and added up in
  /// double: finite for all inputs, and with a 0 on its diagonal for features that are always 0 and no others.
  /// Symmetric to the bit. Throws Error unless the extent is kGram.
  const Tensor& Gram() const;

 private:
  int64_t in_features_, samples_ = 0;
  Tensor sums_, magnitudes_, squares_;  // f64 [in_features].
  Tensor gram_;                         // f64 [in_features, in_features], or undefined.
};

}  // namespace twofour::sparse
