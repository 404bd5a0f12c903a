#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

  /// The samples at `indices`, in that order; an index may occur more than once. Throws Error on an index outside [0,
  /// size()).
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

/// How the columns of a table become inputs: input j is (column j - mean[j]) / stddev[j]. [features] each; both empty
/// where columns are taken as they are.
struct FeatureScaling {
  std::vector<double> mean = {};
  std::vector<double> stddev = {};
};

/// What a model was made with. Samples that are loaded for that model must use it, whatever their data.
struct SamplesAsBefore {
  std::vector<std::string> class_names;  ///< As AsUtf8 returns them.
  FeatureScaling scaling;
};

/// What a loader returns: the samples to train on and those held out.
struct DataSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> eval;
  std::string description;                 ///< One line for the log.
  std::string inputs;                      ///< How a sample becomes inputs, in words.
  std::vector<std::string> class_names;    ///< [num_classes]
  std::vector<std::string> feature_names;  ///< [features]; empty where features have no names.
  std::string label_name;                  ///< Name of the class's column; empty where it has none.
  std::optional<int64_t> label_column;     ///< Only for tables: counted from 0. All other columns are features.
  FeatureScaling scaling;
  std::vector<std::string> notes;  ///< What the user should look at, one line each.
};

}  // namespace twofour::train
