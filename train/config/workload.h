#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/task.h"

#include "config.pb.h"

namespace twofour::train {

/// A config's data, its model and the task that brings them together.
struct Workload {
  std::string data_description;    ///< One line for the log.
  std::string data_json;           ///< What besides the model is needed to use it: see DescribeDataAsJson.
  std::vector<std::string> notes;  ///< What the user should look at, a line each: printed before training.
  std::optional<std::string> vocabulary_json;
  int64_t training_units = 0;  ///< Samples or tokens to train on.
  DataSplit samples;           ///< Of a classifier; empty otherwise.
  std::unique_ptr<nn::Module> model;
  std::unique_ptr<Task> task;  ///< Refers to the model and the samples.
};

/// Loads the data of a valid config and builds the model. Throws Error on data that is not as it should be, or too
/// small for the config.
Workload BuildWorkload(const proto::Config& config);

}  // namespace twofour::train
