#pragma once

#include <optional>
#include <string>

#include "twofour/train/program/config/text_source.h"

namespace twofour::train {

/// A fault in the brackets or quotes of protobuf text. Finding it does not need the message's type.
struct StructureFault {
  TextSource::Place place;
  std::string message;
  bool at_end = false;  ///< Something is not closed at the end of the text. The cause may be anywhere before.
};

/// Finds the first quote that is not closed on its line, or the first closing bracket without an opening one of its
/// kind. If there is none, finds the last bracket that is never closed, and says what it opened.
std::optional<StructureFault> FindStructureFault(const TextSource& source);

}  // namespace twofour::train
