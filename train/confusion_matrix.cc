#include "twofour/train/confusion_matrix.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::train {
namespace {

constexpr const char* kName = "ConfusionMatrix";

std::optional<double> Share(double part, double whole) {
  return whole > 0 ? std::optional(part / whole) : std::nullopt;
}

void RequireShapes(const Tensor& logits, const Tensor& targets, int64_t num_classes) {
  ops::RequireDType(kName, "logits", logits, DType::kF32);
  ops::RequireDType(kName, "targets", targets, DType::kI32);
  if (logits.rank() == 2 && logits.dim(1) >= num_classes && targets.shape() == Shape{logits.dim(0)}) return;
  throw Error(fmt::format("{}: logits {} and targets {}, expected [batch, {} or more] and [batch]", kName,
                          ToString(logits.shape()), ToString(targets.shape()), num_classes));
}

}  // namespace

int64_t LargestLogit(std::span<const float> logits) { return std::ranges::max_element(logits) - logits.begin(); }

ConfusionMatrix::ConfusionMatrix(int64_t num_classes) {
  if (num_classes < 1) throw Error(fmt::format("{}: {} classes, expected at least 1", kName, num_classes));
  const auto classes = static_cast<size_t>(num_classes);
  samples_.resize(classes);
  predicted_.resize(classes);
  correct_.resize(classes);
  if (num_classes <= kMostPairs) pairs_.resize(classes * classes);
}

std::vector<double> ClassesOf(const Tensor& logits) {
  const float* row = logits.data<float>();
  const auto columns = static_cast<size_t>(logits.cols());
  std::vector<double> classes;
  for (int64_t i = 0; i < logits.rows(); ++i, row += columns) {
    classes.push_back(static_cast<double>(LargestLogit({row, columns})));
  }
  return classes;
}

void ConfusionMatrix::Add(const Tensor& logits, const Tensor& targets) {
  RequireShapes(logits, targets, num_classes());
  Add(ClassesOf(logits), targets);
}

void ConfusionMatrix::Add(std::span<const double> predicted, const Tensor& targets) {
  ops::RequireDType(kName, "targets", targets, DType::kI32);
  if (targets.shape() != Shape{static_cast<int64_t>(predicted.size())}) {
    throw Error(fmt::format("{}: {} predicted classes and targets {}, expected [batch] for both", kName,
                            predicted.size(), ToString(targets.shape())));
  }
  const int32_t* const target = targets.data<int32_t>();
  const auto classes = static_cast<size_t>(num_classes());
  for (int64_t i = 0; i < targets.dim(0); ++i) {
    if (target[i] >= 0 && target[i] < num_classes()) continue;
    throw Error(fmt::format("{}: target {}, expected 0 to {}", kName, target[i], num_classes() - 1));
  }
  for (size_t i = 0; i < predicted.size(); ++i) {
    const auto of = static_cast<size_t>(target[i]), taken_for = static_cast<size_t>(predicted[i]);
    ++samples_[of];
    ++total_;
    if (taken_for >= classes) continue;
    ++predicted_[taken_for];
    if (!pairs_.empty()) ++pairs_[of * classes + taken_for];
    if (of != taken_for) continue;
    ++correct_[of];
    ++all_correct_;
  }
}

std::optional<double> ConfusionMatrix::Precision(int64_t c) const {
  return Share(static_cast<double>(correct_[c]), static_cast<double>(predicted_[c]));
}

std::optional<double> ConfusionMatrix::Recall(int64_t c) const {
  return Share(static_cast<double>(correct_[c]), static_cast<double>(samples_[c]));
}

std::optional<double> ConfusionMatrix::F1(int64_t c) const {
  return Share(2 * static_cast<double>(correct_[c]), static_cast<double>(samples_[c] + predicted_[c]));
}

std::span<const int64_t> ConfusionMatrix::PredictedFor(int64_t c) const {
  if (pairs_.empty()) return {};
  return std::span(pairs_).subspan(static_cast<size_t>(c * num_classes()), samples_.size());
}

}  // namespace twofour::train
