#pragma once

#include <optional>
#include <string>

#include "twofour/train/program/config/text_source.h"

namespace twofour::train {

/// A fault of protobuf text that its brackets and quotes show, whatever the message's type.
struct StructureFault {
  TextSource::Place place;
  std::string message;
  bool at_end = false;  ///< Something is missing at the end of the text, which may have been forgotten anywhere.
};

/// The first quote that is not closed on its line, or bracket that closes nothing or another kind; or else the last
/// bracket that is never closed, with what it opened.
std::optional<StructureFault> FindStructureFault(const TextSource& source);

}  // namespace twofour::train
