#pragma once

#include <span>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// A field that is set.
struct ConfigField {
  std::vector<int> place;  ///< Orders fields as config.proto has them.
  std::string path;        ///< As --set takes it; within a repeated message "sparsity.stages[0].keep".
  std::string value;       ///< As in a config file.
};

/// All fields that are set, in order.
std::vector<ConfigField> FlattenConfig(const proto::Config& config);

/// A config without what may differ between the seeds of one experiment: seed, threads, and which weights it starts
/// from. That it starts from weights stays.
proto::Config WithoutSeed(const proto::Config& config);

struct FieldDifference {
  std::string path;
  std::vector<std::string> values;  ///< One for each config; empty where the field is not set.
};

/// Every field that is not the same in all configs, in order, `name` aside.
std::vector<FieldDifference> DifferingFields(std::span<const proto::Config> configs);

}  // namespace twofour::train
