#pragma once

#include <optional>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/train/program/cli/arguments.h"

namespace twofour::train {

/// The options by which commands that use a trained model name it and say how it computes: --run, --threads and
/// --precision, and for some commands --checkpoint. The functions may be called only after Arguments::Parse.
class ModelArguments {
 public:
  explicit ModelArguments(Arguments& arguments);
  ModelArguments(const ModelArguments&) = delete;  // `arguments` points into it.
  ModelArguments& operator=(const ModelArguments&) = delete;

  void AddCheckpoint(Arguments& arguments);

  const std::string& run() const { return run_; }
  /// Nothing if it was not given.
  std::optional<std::string> checkpoint() const;
  std::optional<int> threads() const { return threads_; }
  /// The dtype of activations; nothing if --precision was not given: as in training. Throws Error on an unknown one.
  std::optional<DType> activations() const;

 private:
  std::string run_, checkpoint_, precision_;
  std::optional<int> threads_;
  std::optional<Argument> precision_option_, checkpoint_option_;
};

}  // namespace twofour::train
