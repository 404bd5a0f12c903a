#pragma once

#include <string>
#include <string_view>

#include "twofour/nn/one_shot.h"

namespace twofour::train {

/// Sets the method of one-shot pruning that --method names: one of its own, which begins with Wanda's scores if it
/// takes any, or a score alone. Throws Error on another name.
void SetPruningMethod(std::string_view name, nn::OneShotOptions& options);

}  // namespace twofour::train
