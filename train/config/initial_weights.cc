#include "twofour/train/config/initial_weights.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/state_dict.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/data_difference.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

namespace fs = std::filesystem;

void LoadInitialWeights(const std::string& path, nn::Module& model) {
  std::set<std::string> parameters;
  for (const NamedTensor& parameter : model.NamedParameters()) parameters.insert(parameter.name);
  const auto belongs_to_mask = [&](const NamedTensor& tensor) {
    const size_t at = tensor.name.rfind("_mask");
    return at != std::string::npos && parameters.contains(tensor.name.substr(0, at));
  };
  std::vector<NamedTensor> tensors = LoadSafetensors(FileSystem::Default(), path).tensors;
  std::erase_if(tensors, belongs_to_mask);
  nn::LoadStateDict(model, tensors, path);
}

std::optional<std::string> WarningOfOtherData(const std::string& path, const DataRecord& now, bool expects_same) {
  FileSystem& files = FileSystem::Default();
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(path, ignored).parent_path();
  const bool in_checkpoint = files.Exists(folder / CheckpointStore::kStateFile);
  try {
    const std::optional<DataRecord> then =
        LoadDataRecord(files, {in_checkpoint ? folder.parent_path().parent_path() : folder});
    if (!then) return std::nullopt;
    std::vector<DataDifference> differences = CompareData(*then, now);
    if (!expects_same) differences = OfMeaning(std::move(differences));
    if (differences.empty()) return std::nullopt;
    return fmt::format("{}: its run had other data: {}", path, Describe(differences));
  } catch (const Error& error) {
    return fmt::format("{}: the data of its run cannot be compared: {}", path, error.what());
  }
}

}  // namespace twofour::train
