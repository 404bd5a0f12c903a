#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// What InputStatistics add up over samples, f64.
struct InputSums {
  Tensor values = {}, magnitudes = {}, squares = {};  ///< Of each feature, [in_features].
  Tensor gram = {};                                   ///< Products of any two features, [in_features, in_features].
};

/// What the inputs of a linear were like over many samples: what scores of its weights and one-shot pruning ask for.
/// Sums are f64 and grow batch by batch, so they take memory for features and not for samples.
class InputStatistics {
 public:
  /// What is summed up. The Gram matrix takes in_features^2 numbers, and about as long as a product of floats with a
  /// weight of that shape.
  enum class Extent {
    kFeatures,  ///< Numbers of each feature alone.
    kGram,      ///< Products of any two features, too.
  };

  InputStatistics(int64_t in_features, Extent extent);
  /// With sums over so many samples that were kept elsewhere. Those that are undefined must not be asked for.
  InputStatistics(int64_t in_features, int64_t samples, InputSums sums)
      : in_features_(in_features), samples_(samples), sums_(std::move(sums)) {}

  /// Adds f32 `x` [..., in_features]. Results do not depend on the number of threads. Throws Error on another tensor,
  /// and (a runtime failure) that says `name` and the place if an element is not finite: nothing is added then.
  void Add(const Tensor& x, std::string_view name);

  int64_t in_features() const { return in_features_; }
  int64_t samples() const { return samples_; }  ///< Or tokens: rows of x.
  bool has_gram() const { return sums_.gram.defined(); }
  const InputSums& sums() const { return sums_; }

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
  InputSums sums_;
};

}  // namespace twofour::sparse
