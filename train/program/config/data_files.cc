#include "twofour/train/program/config/data_files.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <system_error>

#include "twofour/core/io/crc32c.h"
#include "twofour/core/io/file_checksum.h"
#include "twofour/train/data/path_pattern.h"
#include "twofour/train/program/config/in_field.h"

namespace twofour::train {
namespace {

/// The checksum of a file or, for a pattern, one of the checksums of all files in their order.
FileChecksum ChecksumOfAll(const std::string& path) {
  FileSystem& files = FileSystem::Default();
  const std::vector<std::string> paths = FilesOf(path);
  if (paths.size() == 1) return ChecksumOf(files, paths[0]);
  FileChecksum all;
  for (const std::string& shard : paths) {
    const FileChecksum one = ChecksumOf(files, shard);
    all.bytes += one.bytes;
    const uint64_t numbers[] = {one.bytes, one.crc32c};
    all.crc32c = Crc32c(std::as_bytes(std::span(numbers)), all.crc32c);
  }
  return all;
}

}  // namespace

std::vector<DataPath> DataPaths(const proto::Data& data) {
  std::vector<DataPath> paths;
  const auto add = [&paths](const char* field, const std::string& path) {
    if (!path.empty()) paths.push_back({field, path});
  };
  switch (data.kind_case()) {
    case proto::Data::kCsv:
      add("csv.path", data.csv().path());
      add("csv.eval_path", data.csv().eval_path());
      break;
    case proto::Data::kIdx:
      add("idx.images", data.idx().images());
      add("idx.labels", data.idx().labels());
      add("idx.eval_images", data.idx().eval_images());
      add("idx.eval_labels", data.idx().eval_labels());
      break;
    case proto::Data::kText:
      add("text.path", data.text().path());
      add("text.eval_path", data.text().eval_path());
      add("text.tokenizer", data.text().tokenizer());
      break;
    case proto::Data::kTokens:
      add("tokens.path", data.tokens().path());
      add("tokens.eval_path", data.tokens().eval_path());
      add("tokens.tokenizer", data.tokens().tokenizer());
      break;
    case proto::Data::kGlyphs:
    case proto::Data::KIND_NOT_SET:
      break;
  }
  return paths;
}

std::vector<std::string> FilesNeededBy(const proto::Config& config) {
  std::vector<std::string> paths;
  for (const DataPath& file : DataPaths(config.data())) paths.push_back(file.path);
  if (!config.initial_weights().empty()) paths.push_back(config.initial_weights());
  return paths;
}

std::vector<DataFile> DataFingerprints::Of(const proto::Data& data) {
  std::vector<DataFile> files;
  for (const DataPath& file : DataPaths(data)) {
    std::error_code ignored;
    const std::filesystem::path resolved = std::filesystem::canonical(file.path, ignored);
    const std::string key = ignored ? file.path : resolved.string();
    auto known = known_.find(key);
    if (known == known_.end()) {
      const auto checksum = InField(std::string("data.") + file.field, [&file] { return ChecksumOfAll(file.path); });
      known = known_.emplace(key, checksum).first;
    }
    files.push_back({file.field, file.path, known->second});
  }
  return files;
}

}  // namespace twofour::train
