#include "twofour/train/exchange/weight_source.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors_shards.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/mask.h"
#include "twofour/train/exchange/packed_tensors.h"

namespace twofour::train {

namespace fs = std::filesystem;

fs::path WeightFileOf(FileSystem& files, const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const std::string_view name : {kSafetensorsModelName, kSafetensorsIndexName}) {
    if (files.Exists(path / name)) return path / name;
  }
  throw Error(fmt::format("{}: holds neither {} nor {}; weights of other formats are not read", path.string(),
                          kSafetensorsModelName, kSafetensorsIndexName));
}

WeightSource LoadWeightSource(FileSystem& files, const fs::path& path, std::optional<DType> activations) {
  WeightSource source{.path = WeightFileOf(files, path), .file = {}, .config = {}, .tokenizer = {}};
  const bool is_index = source.path.extension() == ".json";
  source.file = is_index ? LoadShards(files, source.path) : LoadSafetensors(files, source.path);
  if (activations) source.packed = TakePackedLinears(source.file, source.path.string(), *activations);
  UnpackTensors(source.file, source.path.string());
  const auto beside = [&](const char* name) {
    const fs::path file = source.path.parent_path() / name;
    return files.Exists(file) ? std::optional(file) : std::nullopt;
  };
  source.config = beside("config.json");
  source.tokenizer = beside("tokenizer.json");
  return source;
}

std::vector<NamedTensor> EffectiveWeights(const SafetensorsFile& file) {
  constexpr std::string_view kMask = ".weight_mask";
  std::vector<NamedTensor> weights;
  for (const NamedTensor& named : file.tensors) {
    if (const size_t at = named.name.rfind(kMask); at != std::string::npos) {
      if (named.name.ends_with("_scale")) {
        throw Error(fmt::format("tensor {}: the weight counts times a scale, which is not supported; export it masked",
                                QuoteForMessage(named.name)));
      }
      continue;  // A mask, or what training keeps beside it.
    }
    const Tensor* const mask = file.Find(named.name + "_mask");
    Tensor weight = IsFloating(named.tensor.dtype()) ? named.tensor.To(DType::kF32) : named.tensor;
    if (mask != nullptr) {
      if (mask->dtype() != DType::kBool || mask->shape() != weight.shape() || weight.rank() != 2) {
        throw Error(fmt::format("tensor {}: {}, but its mask is {}", QuoteForMessage(named.name), Describe(weight),
                                Describe(*mask)));
      }
      weight = sparse::ApplyMask(weight, sparse::Mask::FromTensor(*mask));
    }
    weights.push_back({named.name, weight});
  }
  return weights;
}

}  // namespace twofour::train
