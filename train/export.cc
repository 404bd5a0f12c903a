#include "twofour/train/export.h"

#include <map>

#include <nlohmann/json.hpp>

#include "twofour/nn/swap.h"

namespace twofour::train {
namespace {

using Json = nlohmann::ordered_json;

/// Whether a semi-sparse layer's buffer decides what the trained layer computes, and not only how training goes on.
bool IsPartOfResult(const std::string& buffer) { return buffer == "weight_mask" || buffer == "weight_mask_scale"; }

/// Descriptions and class names hold the user's bytes; what is not UTF-8 among them is replaced.
std::string Dump(const Json& json) {
  return json.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights) {
  std::vector<NamedTensor> tensors = model.NamedParameters();
  std::map<std::string, nn::SemiSparseLinear*> masked;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    if (layer->options().apply) masked[name + "."] = layer;
  }
  if (weights == ExportWeights::kDenseWithMasks) {
    for (const auto& [prefix, layer] : masked) {
      for (const NamedTensor& buffer : layer->Buffers()) {
        if (IsPartOfResult(buffer.name)) tensors.push_back({prefix + buffer.name, buffer.tensor});
      }
    }
    return tensors;
  }
  for (NamedTensor& named : tensors) {
    const auto found = masked.find(named.name.substr(0, named.name.rfind('.') + 1));
    if (found != masked.end() && named.name.ends_with(".weight")) named.tensor = found->second->EffectiveWeight();
  }
  return tensors;
}

std::string DescribeDataAsJson(const DataSplit& data) {
  Json json{{"description", data.description}, {"class_names", data.class_names}};
  if (data.feature_mean.defined()) {
    json["feature_mean"] = data.feature_mean.ToVector();
    json["feature_std"] = data.feature_std.ToVector();
  }
  return Dump(json);
}

std::string DescribeDataAsJson(const TokenData& data) {
  return Dump({{"description", data.description},
               {"vocab_size", data.vocab_size},
               {"train_tokens", data.train.size()},
               {"eval_tokens", data.eval.size()}});
}

bool DescribesSameTokens(const std::string& a, const std::string& b) {
  const Json one = Json::parse(a, nullptr, /*allow_exceptions=*/false);
  const Json other = Json::parse(b, nullptr, /*allow_exceptions=*/false);
  if (!one.is_object() || !other.is_object()) return true;
  for (const char* key : {"vocab_size", "train_tokens", "eval_tokens"}) {
    if (one.contains(key) && other.contains(key) && one[key] != other[key]) return false;
  }
  return true;
}

}  // namespace twofour::train
