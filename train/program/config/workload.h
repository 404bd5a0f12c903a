#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "twofour/nn/model.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data_record.h"
#include "twofour/train/task.h"

#include "config.pb.h"

namespace twofour::train {

/// A config's data and model, and the task that trains the model on the data.
struct Workload {
  std::string data_description;    ///< One line for the log.
  DataRecord data_record;          ///< What is needed to use the model, and which data it was trained on.
  std::vector<std::string> notes;  ///< Notes for the user, one line each, to be printed before training.
  int64_t training_units = 0;      ///< Samples or tokens to train on.
  DataSplit samples;               ///< Empty for language models.
  std::unique_ptr<nn::Model> model;
  std::unique_ptr<Task> task;  ///< Refers to the model and the samples.
};

/// Loads the data of a valid config and builds the model. `files` are the data's files with their checksums. With
/// `as_before`, the classes, scaling and vocabulary of that record are used instead of those of the data. Throws Error
/// if the data is faulty or too small for the config.
Workload BuildWorkload(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before = nullptr);
/// The same, but reads tables as an earlier twofour did: see CsvOptions::earlier_rules.
Workload BuildWorkloadByEarlierRules(const proto::Config& config, std::vector<DataFile> files);
/// The same, but computes the checksums of the files itself.
Workload BuildWorkload(const proto::Config& config);

/// Files to evaluate a trained model on, in the place of its run's data.
struct OtherFiles {
  std::string data = {};            ///< A table, images, a text or tokens, as the run's config has them.
  std::string labels = {};          ///< Only with images.
  bool ignore_extra = false;        ///< See TableWishes.
  bool unknown_as_missing = false;  ///< Likewise.
};

/// The task to evaluate on all of these files, and the model, whose weights are random. `config` is that of a run whose
/// data has this record: its classes, columns, scaling and vocabulary are in force. The task cannot train. Throws Error
/// if the files do not fit the run.
Workload BuildEvaluation(const proto::Config& config, const DataRecord& record, const OtherFiles& files);

}  // namespace twofour::train
