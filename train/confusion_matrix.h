#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// How often samples of each class were taken for each class. The predicted class of a sample is that of its largest
/// logit; of several that are equal, the first.
class ConfusionMatrix {
 public:
  /// Matrices of more classes count only what the other functions return, and keep no pairs.
  static constexpr int64_t kMostPairs = 1024;

  /// Throws Error unless there is a class.
  explicit ConfusionMatrix(int64_t num_classes);

  /// Adds the samples of a batch: f32 logits [batch, num_classes] and i32 targets [batch]. There may be more logits: a
  /// sample whose largest logit is that of no class counts as taken for none. Throws Error on other types and shapes,
  /// and on targets outside of [0, num_classes).
  void Add(const Tensor& logits, const Tensor& targets);
  /// The same for samples whose largest logits are known already: `predicted` [batch], as ClassesOf gives it.
  void Add(std::span<const double> predicted, const Tensor& targets);

  int64_t num_classes() const { return static_cast<int64_t>(samples_.size()); }
  /// Samples in all, and those that were taken for their own class.
  int64_t total() const { return total_; }
  int64_t correct() const { return all_correct_; }
  double accuracy() const { return static_cast<double>(all_correct_) / static_cast<double>(total_); }
  /// Samples of a class.
  int64_t SamplesOf(int64_t c) const { return samples_[static_cast<size_t>(c)]; }
  /// The share of samples taken for class c that are of it; nothing if there are none.
  std::optional<double> Precision(int64_t c) const;
  /// The share of the samples of class c that were taken for it; nothing if there are none.
  std::optional<double> Recall(int64_t c) const;
  /// The harmonic mean of both, 2 correct / (samples + predicted); nothing if c neither occurs nor is predicted.
  std::optional<double> F1(int64_t c) const;
  /// For each class, how many samples of class c were taken for it. [num_classes], or empty above kMostPairs classes.
  std::span<const int64_t> PredictedFor(int64_t c) const;

 private:
  std::vector<int64_t> samples_, predicted_, correct_;  // [num_classes]
  std::vector<int64_t> pairs_;                          // [num_classes, num_classes], or empty.
  int64_t total_ = 0, all_correct_ = 0;
};

/// The class of the largest of these logits; of several that are equal, the first.
int64_t LargestLogit(std::span<const float> logits);
/// The same for each row of f32 logits [batch, classes]: [batch].
std::vector<double> ClassesOf(const Tensor& logits);

}  // namespace twofour::train
