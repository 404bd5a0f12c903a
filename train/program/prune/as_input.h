#pragma once

#include "twofour/core/error.h"

namespace twofour::train {

/// Calls `use`, which computes with the weights and the data of a run that the user has named. Where these give numbers
/// that are not finite, that is a fault of the input, and no failure of the program: an Error that it throws becomes
/// one of that kind.
template <typename Use>
auto AsInput(const Use& use) {
  try {
    return use();
  } catch (const Error& error) {
    throw Error(error.what(), ErrorKind::kInvalidInput);
  }
}

}  // namespace twofour::train
