#include "twofour/core/io/safetensors_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/core/quote_for_message.h"

namespace twofour {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMaxIndexBytes = uint64_t{100} << 20;
constexpr int kMostDepth = 32;
constexpr std::string_view kFileEnding = ".safetensors";

uint64_t BytesOf(const Tensor& tensor) { return static_cast<uint64_t>(tensor.numel()) * SizeOf(tensor.dtype()); }

/// Whether `name` can only be that of a file in the index's own folder.
bool IsPlainFileName(const std::string& name) {
  return name.size() > kFileEnding.size() && name.ends_with(kFileEnding) && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && !name.starts_with('.');
}

}  // namespace

std::vector<std::vector<NamedTensor>> DivideIntoShards(const std::vector<NamedTensor>& tensors, uint64_t max_bytes) {
  std::vector<std::vector<NamedTensor>> shards(1);
  uint64_t bytes = 0;
  for (const NamedTensor& named : tensors) {
    const uint64_t more = BytesOf(named.tensor);
    if (!shards.back().empty() && (bytes > max_bytes || more > max_bytes - bytes)) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += more;
    shards.back().push_back(named);
  }
  return shards;
}

void SaveShards(FileSystem& file_system, const fs::path& folder, const std::vector<NamedTensor>& tensors,
                const std::map<std::string, std::string>& metadata, uint64_t max_bytes) {
  const std::vector<std::vector<NamedTensor>> shards = DivideIntoShards(tensors, max_bytes);
  if (shards.size() == 1) return SaveSafetensors(file_system, folder / kSafetensorsModelName, tensors, metadata);
  uint64_t total = 0;
  JsonObject weight_map;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    SaveSafetensors(file_system, folder / file, shards[i], metadata);
    for (const auto& [name, tensor] : shards[i]) {
      weight_map.Set(name, file);
      total += BytesOf(tensor);
    }
  }
  const std::string text =
      JsonObject().Set("metadata", JsonObject().Set("total_size", total)).Set("weight_map", weight_map).ToText(2) +
      "\n";
  WriteTextAtomically(file_system, folder / kSafetensorsIndexName, text);
}

std::map<std::string, std::string> ParseShardIndex(std::string_view json, const std::string& source) {
  std::set<std::string> names;
  std::string twice;
  const JsonChecks checks{.on_begin =
                              [&](int depth, bool /*is_array*/) {
                                if (depth > kMostDepth) {
                                  throw Error(fmt::format("{}: nested deeper than {}", source, kMostDepth));
                                }
                              },
                          // The parser would keep the last one.
                          .on_name =
                              [&](const std::string& name) {
                                if (!names.insert(name).second && twice.empty()) twice = QuoteForMessage(name);
                              }};
  const JsonDocument document = JsonDocument::Parse(json, source, checks);
  const std::optional<JsonValue> weight_map = document.root().Find("weight_map");
  if (!weight_map || !weight_map->is_object()) {
    throw Error(
        fmt::format("{}: has no weight_map, expected an object of tensors and the files that hold them", source));
  }
  if (!twice.empty()) throw Error(fmt::format("{}: {} comes twice", source, twice));
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : weight_map->members()) {
    if (!file.is_string() || !IsPlainFileName(file.string())) {
      throw Error(fmt::format("{}: tensor {}: {}, expected the name of a {} file beside the index", source,
                              QuoteForMessage(name), file.is_string() ? QuoteForMessage(file.string()) : "no string",
                              kFileEnding));
    }
    files.emplace(name, file.string());
  }
  return files;
}

SafetensorsFile LoadShards(FileSystem& file_system, const fs::path& index) {
  const std::string source = index.string();
  const std::map<std::string, std::string> file_of =
      ParseShardIndex(ReadText(file_system, index, kMaxIndexBytes), source);
  std::set<std::string> names;
  for (const auto& [tensor, file] : file_of) names.insert(file);
  SafetensorsFile all;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    const fs::path path = index.parent_path() / name;
    if (!file_system.Exists(path)) {
      throw Error(fmt::format("{}: names {}, which is missing", source, QuoteForMessage(name)));
    }
    SafetensorsFile file = LoadSafetensors(file_system, path);
    const auto check = [&](const std::string& tensor) {
      const auto found = file_of.find(tensor);
      const std::string place = found == file_of.end() ? "nowhere" : QuoteForMessage(found->second);
      if (found == file_of.end() || found->second != name) {
        throw Error(fmt::format("{}: holds tensor {}, which the index has in {}", path.string(),
                                QuoteForMessage(tensor), place));
      }
      seen.insert(tensor);
    };
    for (const NamedTensor& named : file.tensors) check(named.name);
    for (const SkippedTensor& skipped : file.skipped) check(skipped.name);
    if (all.metadata.empty()) all.metadata = std::move(file.metadata);
    std::ranges::move(file.tensors, std::back_inserter(all.tensors));
    std::ranges::move(file.skipped, std::back_inserter(all.skipped));
  }
  for (const auto& [tensor, file] : file_of) {
    if (seen.contains(tensor)) continue;
    throw Error(fmt::format("{}: has tensor {} in {}, which does not hold it", source, QuoteForMessage(tensor),
                            QuoteForMessage(file)));
  }
  return all;
}

}  // namespace twofour
