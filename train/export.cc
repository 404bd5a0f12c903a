#include "twofour/train/export.h"

#include <map>

#include <nlohmann/json.hpp>

#include "twofour/nn/swap.h"
#include "twofour/sparse/mask.h"

namespace twofour::train {
namespace {

using Json = nlohmann::ordered_json;

/// Descriptions and class names hold the user's bytes; what is not UTF-8 among them is replaced.
std::string Dump(const Json& json) {
  return json.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights) {
  std::vector<NamedTensor> tensors = model.NamedParameters();
  std::map<std::string, nn::SemiSparseLinear*> sparse;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) sparse[name + ".weight"] = layer;
  if (weights == ExportWeights::kDenseWithMasks) {
    for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
      for (const NamedTensor& buffer : layer->Buffers()) {
        if (buffer.name != "weight_mask" && buffer.name != "weight_mask_scale") continue;  // What only a resume needs.
        tensors.push_back({name + "." + buffer.name, buffer.tensor});
      }
    }
    return tensors;
  }
  for (NamedTensor& named : tensors) {
    const auto found = sparse.find(named.name);
    if (found != sparse.end()) named.tensor = found->second->PrunedWeight();
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
