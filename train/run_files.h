#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

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
  /// What was the final model when the run was done at `step`, before it was gone on with.
  std::filesystem::path model_of_step(int64_t step) const {
    return folder / ("model-step-" + std::to_string(step) + ".safetensors");
  }
};

}  // namespace twofour::train
