#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// Samples that are trained on, or evaluated, together.
struct Batch {
  Tensor inputs;   ///< f32 [batch, features]
  Tensor targets;  ///< i32 [batch], in [0, num_classes)
};

/// A set of labelled samples with random access. Const functions may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  virtual int64_t features() const = 0;
  virtual int64_t num_classes() const = 0;

  /// The samples at `indices`, in that order; an index may occur more than once. Throws Error on one outside
  /// [0, size()).
  virtual Batch Get(std::span<const int64_t> indices) const = 0;

  /// How many samples each class has. [num_classes]
  virtual std::vector<int64_t> ClassCounts() const;
};

/// A Dataset whose samples are rows of a tensor.
class InMemoryDataset : public Dataset {
 public:
  /// `inputs` is f32 [samples, features], `labels` i32 [samples]. Throws Error on other types or shapes, and on a
  /// label outside [0, num_classes).
  InMemoryDataset(Tensor inputs, Tensor labels, int64_t num_classes);

  int64_t size() const override { return inputs_.dim(0); }
  int64_t features() const override { return inputs_.dim(1); }
  int64_t num_classes() const override { return num_classes_; }
  Batch Get(std::span<const int64_t> indices) const override;
  std::vector<int64_t> ClassCounts() const override;

 private:
  Tensor inputs_;
  Tensor labels_;
  int64_t num_classes_;
};

/// What a loader returns: the samples to train on and those held out.
struct DataSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> eval;
  std::string description;               ///< One line for the log.
  std::vector<std::string> class_names;  ///< [num_classes]
  /// f32 [features]: what standardisation subtracted and then divided by. Undefined where there was none.
  Tensor feature_mean;
  Tensor feature_std;
  std::vector<std::string> notes;  ///< What the user should look at, a line each.
};

}  // namespace twofour::train
