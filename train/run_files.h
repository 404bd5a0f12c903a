#pragma once

#include <filesystem>

namespace twofour::train {

/// Where everything of a run lies within its folder.
struct RunFiles {
  std::filesystem::path folder;

  std::filesystem::path config() const { return folder / "config.pbtxt"; }
  std::filesystem::path data() const { return folder / "data.json"; }
  std::filesystem::path vocabulary() const { return folder / "vocabulary.json"; }  ///< Language models only.
  std::filesystem::path metrics() const { return folder / "metrics.jsonl"; }
  /// The folder of TensorBoard's event files, one for each time the run was begun or resumed: see NextEventFile.
  std::filesystem::path event_files() const { return folder; }
  std::filesystem::path checkpoints() const { return folder / "checkpoints"; }
  std::filesystem::path model() const { return folder / "model.safetensors"; }  ///< Once the run is done.
};

}  // namespace twofour::train
