#include "twofour/train/exchange/weight_source.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors_shards.h"
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

WeightSource LoadWeightSource(FileSystem& files, const fs::path& path) {
  WeightSource source{.path = WeightFileOf(files, path), .file = {}, .config = {}, .tokenizer = {}};
  const bool is_index = source.path.extension() == ".json";
  source.file = is_index ? LoadShards(files, source.path) : LoadSafetensors(files, source.path);
  UnpackTensors(source.file, source.path.string());
  const auto beside = [&](const char* name) {
    const fs::path file = source.path.parent_path() / name;
    return files.Exists(file) ? std::optional(file) : std::nullopt;
  };
  source.config = beside("config.json");
  source.tokenizer = beside("tokenizer.json");
  return source;
}

}  // namespace twofour::train
