#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// Samples that are trained on, or evaluated, together.
struct Batch {
  Tensor inputs;   ///< f32 [batch, features]
  Tensor targets;  ///< Classes: i32 [batch], in [0, num_classes). Numbers: f32 [batch, outputs].
};

/// A set of samples with random access; each has a class, or numbers as targets. Const functions may be called from
/// several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  virtual int64_t features() const = 0;
  virtual int64_t num_classes() const = 0;  ///< 0 where the targets are numbers.
  /// Outputs of a model for one sample: a logit for each class, or a number for each target.
  virtual int64_t outputs() const { return num_classes(); }

  /// The samples at `indices`, in that order; an index may occur more than once. Throws Error on an index outside [0,
  /// size()).
  virtual Batch Get(std::span<const int64_t> indices) const = 0;

  /// How many samples each class has. [num_classes] Throws Error where the targets are numbers.
  virtual std::vector<int64_t> ClassCounts() const;
};

/// data.Get(indices), of which nothing is believed. Throws Error where the batch has not as many samples as were asked
/// for, or not the data set's features, or targets of another type or shape, or a class that there is not.
Batch GetBatch(const Dataset& data, std::span<const int64_t> indices);
/// Throws Error unless there are samples, features and outputs in both data sets, and as many in one as in the other.
void RequireAlike(const Dataset& train_data, const Dataset& eval_data);

/// A Dataset whose samples are rows of a tensor.
class InMemoryDataset : public Dataset {
 public:
  /// `inputs` is f32 [samples, features], `labels` i32 [samples]. Throws Error on other types or shapes, and on a
  /// label outside [0, num_classes).
  InMemoryDataset(Tensor inputs, Tensor labels, int64_t num_classes);
  /// `targets` is f32 [samples, outputs]. Throws Error on other types or shapes.
  InMemoryDataset(Tensor inputs, Tensor targets);

  int64_t size() const override { return inputs_.dim(0); }
  int64_t features() const override { return inputs_.dim(1); }
  int64_t num_classes() const override { return num_classes_; }
  int64_t outputs() const override { return num_classes_ > 0 ? num_classes_ : targets_.dim(1); }
  Batch Get(std::span<const int64_t> indices) const override;
  std::vector<int64_t> ClassCounts() const override;

 private:
  Tensor inputs_;
  Tensor targets_;
  int64_t num_classes_ = 0;
};

/// What a loader returns: the samples to train on and those held out.
struct DataSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> eval;
  std::string description;                 ///< One line for the log.
  std::string inputs;                      ///< How a sample becomes inputs, in words.
  std::vector<std::string> class_names;    ///< [num_classes]
  std::vector<std::string> feature_names;  ///< [features]; empty where features have no names.
  Shape sample_shape;                      ///< [height, width] or [height, width, channels] of images; empty elsewhere.
  std::string label_name;                  ///< Name of the class's column; empty where it has none.
  std::optional<int64_t> label_column;     ///< Only for tables with classes: counted from 0.
  std::optional<TableSchema> table;        ///< Only for tables: how they became samples.
  std::vector<std::string> notes;          ///< What the user should look at, one line each.
};

}  // namespace twofour::train
