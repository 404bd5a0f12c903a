#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twofour/train/program/start/config_changes.h"
#include "twofour/train/run_folder.h"

namespace twofour::train {

/// What `trainer import` is asked for.
struct ImportRequest {
  std::string from;      ///< A safetensors file, an index of shards, or a folder that holds either.
  std::string out;       ///< The run's folder.
  std::string config;    ///< A config file; empty: the config has only what the source tells.
  std::string name_map;  ///< A NameMap file; empty: names are those of the source's config.json, or the model's own.
  bool partial = false;  ///< Parameters that the source lacks stay random, and surplus tensors are left out.
  ConfigChanges changes = {};
  RunFolder::IfExists if_exists = RunFolder::IfExists::kFail;
};

/// A run that was made, with lines for the user.
struct ImportedRun {
  std::string model;  ///< "gpt with 124439808 parameters", for example.
  std::vector<std::string> notes;
};

/// Makes a run of imported weights: its config, what is known of its data, and model.safetensors with the weights of
/// step 0. Without a model in the config, a config.json beside the weights must describe one. Throws Error, naming the
/// file and each tensor, if tensors are missing, surplus, or do not fit, and if a file that is needed lies in `out`.
/// Nothing changes at `out` then.
ImportedRun ImportRun(const ImportRequest& request);

}  // namespace twofour::train
