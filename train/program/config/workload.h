#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data_record.h"
#include "twofour/train/task.h"

#include "config.pb.h"

namespace twofour::train {

/// A config's data, its model and the task that brings them together.
struct Workload {
  std::string data_description;    ///< One line for the log.
  DataRecord data_record;          ///< What besides the model is needed to use it, and which data it was.
  std::vector<std::string> notes;  ///< What the user should look at, a line each: printed before training.
  int64_t training_units = 0;      ///< Samples or tokens to train on.
  DataSplit samples;               ///< Of a classifier; empty otherwise.
  std::unique_ptr<nn::Module> model;
  std::unique_ptr<Task> task;  ///< Refers to the model and the samples.
};

/// Loads the data of a valid config and builds the model. `files` are the data's, with their checksums; with
/// `as_before` the classes, scaling and vocabulary of that record are in force, whatever the data's own would be.
/// Throws Error on data that is not as it should be, or too small for the config.
Workload BuildWorkload(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before = nullptr);
/// The same, of tables that are read as an earlier twofour did: see CsvOptions::earlier_rules.
Workload BuildWorkloadByEarlierRules(const proto::Config& config, std::vector<DataFile> files);
/// Reads the files' checksums, too.
Workload BuildWorkload(const proto::Config& config);

}  // namespace twofour::train
