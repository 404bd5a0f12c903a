#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// The paths of a run's files in its folder.
struct RunFiles {
  static constexpr std::string_view kEventFilePrefix = "events.out.tfevents.";

  std::filesystem::path folder;

  std::filesystem::path config() const { return folder / "config.pbtxt"; }
  std::filesystem::path data() const { return folder / "data.json"; }
  std::filesystem::path vocabulary() const { return folder / "vocabulary.json"; }  ///< Language models only.
  /// The orders of channels that `trainer permute` gave the weights. Only runs that it made have it.
  std::filesystem::path permutation() const { return folder / "permutation.safetensors"; }
  /// What `trainer prune` did to the weights. Only runs that it made have it.
  std::filesystem::path pruning() const { return folder / "pruning.json"; }
  /// What `trainer shrink` kept of the larger model. Only runs that it made have it.
  std::filesystem::path shrinking() const { return folder / "shrink.json"; }
  /// What `trainer quantize` did to the weights. Only runs that it made have it.
  std::filesystem::path quantization() const { return folder / "quantization.json"; }
  std::filesystem::path metrics() const { return folder / "metrics.jsonl"; }
  /// The folder of TensorBoard's event files, one for each time the run was begun or resumed: see NextEventFile.
  std::filesystem::path event_files() const { return folder; }
  std::filesystem::path checkpoints() const { return folder / "checkpoints"; }
  std::filesystem::path model() const { return folder / "model.safetensors"; }  ///< Exists once the run is done.
  /// Only of a run that trained adapters, once it is done: these, and the weights that they are to be added to.
  std::filesystem::path adapter() const { return folder / "adapter.safetensors"; }
  std::filesystem::path adapter_config() const { return folder / "adapter_config.json"; }
  std::filesystem::path adapter_base() const { return folder / "base.safetensors"; }
  /// Where the final model of a run that ended at `step` is set aside when the run is continued:
  /// model-step-N.safetensors, with a number after N where that name is taken.
  std::filesystem::path FreeModelOfStep(FileSystem& files, int64_t step) const;
  /// The set-aside models of steps after `step`.
  std::vector<std::filesystem::path> ModelsSetAsideAfter(FileSystem& files, int64_t step) const;

  /// Whether the folder is a run's. A config alone does not make it one, because it may be a user's own.
  bool IsRun(FileSystem& files) const;
  /// Whether something of this name in a run's folder was made by the run, and not by anybody else.
  static bool IsOwn(const std::string& name);
};

}  // namespace twofour::train
