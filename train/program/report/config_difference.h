#pragma once

#include <span>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// A field that is set.
struct ConfigField {
  std::vector<int> place;  ///< Sorts fields in the order of config.proto.
  std::string path;        ///< As --set takes it. Within a repeated message: "sparsity.stages[0].keep".
  std::string value;       ///< As in a config file.
};

/// All fields that are set, in order.
std::vector<ConfigField> FlattenConfig(const proto::Config& config);

/// Removes from a config what may differ between the seeds of one experiment: seed, threads, and which weights or run
/// it starts from. That it starts from weights or from another run stays.
proto::Config WithoutSeed(const proto::Config& config);

struct FieldDifference {
  std::string path;
  std::vector<std::string> values;  ///< One for each config; empty if the field is not set.
};

/// Every field except `name` that is not the same in all configs, in order.
std::vector<FieldDifference> DifferingFields(std::span<const proto::Config> configs);

}  // namespace twofour::train
