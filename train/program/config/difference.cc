#include "twofour/train/program/config/difference.h"

#include <google/protobuf/util/message_differencer.h>

#include <sstream>
#include <string_view>
#include <utility>

namespace twofour::train {
namespace {

/// The model, without what only matters while training or before.
proto::Config WhatAModelComputes(const proto::Config& config) {
  proto::Config part;
  proto::Model& model = *part.mutable_model();
  model = config.model();
  if (model.has_mlp()) model.mutable_mlp()->clear_dropout();
  if (model.has_residual_mlp()) model.mutable_residual_mlp()->clear_dropout();
  if (model.has_residual_mlp()) model.mutable_residual_mlp()->clear_zero_init_projection();
  if (model.has_conv_net()) model.mutable_conv_net()->clear_dropout();
  if (model.has_gpt()) model.mutable_gpt()->clear_init();
  return part;
}

}  // namespace

std::vector<std::string> Differences(proto::Config stored, proto::Config given) {
  given.clear_threads();
  stored.clear_threads();
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  std::vector<std::string> differences;
  if (differencer.Compare(stored, given)) return differences;
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kModified = "modified: ";  // The arrow in the line says this already.
    differences.push_back(line.starts_with(kModified) ? line.substr(kModified.size()) : line);
  }
  return differences;
}

std::optional<std::string> FirstDifference(proto::Config stored, proto::Config given) {
  std::vector<std::string> differences = Differences(std::move(stored), std::move(given));
  if (differences.empty()) return std::nullopt;
  return std::move(differences.front());
}

std::vector<std::string> ModelDifferences(const proto::Config& stored, const proto::Config& given) {
  return Differences(WhatAModelComputes(stored), WhatAModelComputes(given));
}

}  // namespace twofour::train
