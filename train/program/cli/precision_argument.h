#pragma once

#include <optional>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/train/program/cli/arguments.h"

namespace twofour::train {

/// The option --precision of commands that use a trained model.
class PrecisionArgument {
 public:
  explicit PrecisionArgument(Arguments& arguments);
  PrecisionArgument(const PrecisionArgument&) = delete;  // `arguments` points into it.
  PrecisionArgument& operator=(const PrecisionArgument&) = delete;

  /// The dtype of activations; nothing if the option was not given: as in training. Only after Arguments::Parse. Throws
  /// Error on an unknown precision.
  std::optional<DType> Value() const;

 private:
  std::string text_;
  Argument option_;
};

}  // namespace twofour::train
