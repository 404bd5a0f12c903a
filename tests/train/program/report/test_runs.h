#pragma once

#include <filesystem>
#include <string>

#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/report/run_record.h"

#include "tests/support/text_file.h"

namespace twofour::test {

/// A small valid config of this name and seed, with the fields in `more`. If `more` has a training field, it replaces
/// the default one.
inline std::string RunConfig(const std::string& name, int seed, const std::string& more = "") {
  const std::string training =
      more.find("training {") == std::string::npos ? "training { steps: 100 batch_size: 10 } " : "";
  return "name: \"" + name + "\" seed: " + std::to_string(seed) +
         " model { mlp { hidden_features: 16 } } data { glyphs {} } " + training + more;
}

/// A run of that config, as if it was read from a folder.
inline train::RunRecord Recorded(const std::string& name, int seed, const std::string& more = "",
                                 bool finished = true) {
  return {.folder = "runs/" + name + "-" + std::to_string(seed),
          .config = train::WithDefaults(train::ParseTextConfig(RunConfig(name, seed, more), "config")),
          .finished = finished};
}

/// Makes a run's folder. If the run is finished, the folder has final weights, which reports never read.
inline void MakeRun(const std::filesystem::path& folder, const std::string& config, const std::string& metrics,
                    bool finished = true) {
  std::filesystem::create_directories(folder);
  WriteTextFile(folder / "config.pbtxt", config);
  WriteTextFile(folder / "metrics.jsonl", metrics);
  if (finished) WriteTextFile(folder / "model.safetensors", "");
}

/// The metrics of a run of 100 steps that ends at this evaluation loss and takes these seconds; none are recorded if
/// they are 0, as by an earlier version.
inline std::string Metrics(double loss, double seconds = 1.5) {
  const auto time = [seconds](double share) {
    return seconds > 0 ? ",\"training_seconds\":" + std::to_string(share * seconds) : std::string();
  };
  return "{\"step\":50,\"split\":\"train\",\"loss\":2.0,\"lr\":0.1,\"grad_norm\":1.0,\"samples_per_s\":500.0" +
         time(0.5) + "}\n{\"step\":50,\"split\":\"eval\",\"loss\":1.5,\"accuracy\":0.5" + time(0.5) +
         "}\n{\"step\":100,\"split\":\"train\",\"loss\":1.0,\"lr\":0.1,\"grad_norm\":1.0,\"samples_per_s\":1000.0" +
         time(1) + "}\n{\"step\":100,\"split\":\"eval\",\"loss\":" + std::to_string(loss) + ",\"accuracy\":0.75" +
         time(1) + "}\n";
}

}  // namespace twofour::test
