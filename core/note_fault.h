#pragma once

#include <string>
#include <vector>

#include "twofour/core/error.h"

namespace twofour {

/// Calls `part`, such as a check. If it throws Error because of bad input, adds the message to `faults`, so that the
/// caller can go on with other parts and then tell all faults at once. Does not catch other exceptions.
template <typename Function>
void NoteFault(std::vector<std::string>& faults, const Function& part) {
  try {
    part();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInvalidInput) throw;
    faults.emplace_back(error.what());
  }
}

/// If there are faults, throws Error with one line for each.
void ThrowFaults(const std::vector<std::string>& faults);

}  // namespace twofour
