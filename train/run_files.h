#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Where everything of a run lies within its folder.
struct RunFiles {
  static constexpr std::string_view kEventFilePrefix = "events.out.tfevents.";

  std::filesystem::path folder;

  std::filesystem::path config() const { return folder / "config.pbtxt"; }
  std::filesystem::path data() const { return folder / "data.json"; }
  std::filesystem::path vocabulary() const { return folder / "vocabulary.json"; }  ///< Language models only.
  std::filesystem::path metrics() const { return folder / "metrics.jsonl"; }
  /// The folder of TensorBoard's event files, one for each time the run was begun or resumed: see NextEventFile.
  std::filesystem::path event_files() const { return folder; }
  std::filesystem::path checkpoints() const { return folder / "checkpoints"; }
  std::filesystem::path model() const { return folder / "model.safetensors"; }  ///< Once the run is done.
  /// Where the final model of a run that was done at `step` is put when it is gone on with: model-step-N.safetensors,
  /// or with a number after N, which no file has yet.
  std::filesystem::path FreeModelOfStep(FileSystem& files, int64_t step) const;
  /// Those that were put there for later steps.
  std::vector<std::filesystem::path> ModelsSetAsideAfter(FileSystem& files, int64_t step) const;

  /// Whether a run's folder may hold something of this name that the run has made, and no one else.
  static bool IsOwn(const std::string& name);
};

}  // namespace twofour::train
