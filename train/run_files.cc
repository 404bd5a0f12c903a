#include "twofour/train/run_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "twofour/train/folder_lock.h"

namespace twofour::train {
namespace {

constexpr std::string_view kSetAside = "model-step-", kModelEnding = ".safetensors";

/// The step in "model-step-100.safetensors" or "model-step-100-2.safetensors".
std::optional<int64_t> StepOfSetAside(std::string_view name) {
  if (!name.starts_with(kSetAside) || !name.ends_with(kModelEnding)) return std::nullopt;
  name.remove_prefix(kSetAside.size());
  if (name.size() < kModelEnding.size()) return std::nullopt;
  name.remove_suffix(kModelEnding.size());
  int64_t step = 0, number = 0;
  const char* const end = name.data() + name.size();
  const auto [after, error] = std::from_chars(name.data(), end, step);
  if (error != std::errc() || step < 0) return std::nullopt;
  if (after == end) return step;
  if (*after != '-') return std::nullopt;
  const auto [last, no_number] = std::from_chars(after + 1, end, number);
  return no_number == std::errc() && last == end && number > 1 ? std::optional(step) : std::nullopt;
}

}  // namespace

bool RunFiles::IsRun(FileSystem& files) const {
  if (!files.Exists(config())) return false;
  const std::array beside = {folder / FolderLock::kFile, data(), metrics(), checkpoints()};
  return std::ranges::any_of(beside, [&](const std::filesystem::path& path) { return files.Exists(path); });
}

bool RunFiles::IsOwn(const std::string& name) {
  const RunFiles names;
  for (const std::filesystem::path& own :
       {names.config(), names.data(), names.vocabulary(), names.permutation(), names.pruning(), names.shrinking(),
        names.quantization(), names.metrics(), names.checkpoints(), names.model(), names.adapter(),
        names.adapter_config(), names.adapter_base()}) {
    if (name == own.string()) return true;
  }
  return name == FolderLock::kFile || name.starts_with(kEventFilePrefix) || StepOfSetAside(name) ||
         IsTemporaryName(name);
}

std::filesystem::path RunFiles::FreeModelOfStep(FileSystem& files, int64_t step) const {
  std::filesystem::path path = folder / fmt::format("{}{}{}", kSetAside, step, kModelEnding);
  for (int number = 2; files.Exists(path); ++number) {
    path = folder / fmt::format("{}{}-{}{}", kSetAside, step, number, kModelEnding);
  }
  return path;
}

std::vector<std::filesystem::path> RunFiles::ModelsSetAsideAfter(FileSystem& files, int64_t step) const {
  std::vector<std::filesystem::path> paths;
  for (const std::string& name : files.ListDirectory(folder)) {
    if (const auto of = StepOfSetAside(name); of && *of > step) paths.push_back(folder / name);
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace twofour::train
