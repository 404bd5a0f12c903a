#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/nn/one_shot.h"

#include "config.pb.h"

namespace twofour::train {

/// Which linears of a run are pruned: those of its recipe, where nothing else is given.
struct LinearsOfRun {
  std::optional<std::string> include = {}, exclude = {};
  std::optional<int64_t> multiple_of = {};
};

/// Throws Error that names the arguments which are wrong, as in "--dampening: -1, ...".
void RequireSoundArguments(nn::OneShotOptions options, const LinearsOfRun& linears);

/// The options for a run of this config: the linears of its recipe (include, exclude and multiple_of), as far as they
/// can be trained under the pattern's masks, and the key of random scores by `seed`.
nn::OneShotOptions OptionsFor(const proto::Config& config, nn::OneShotOptions options, const LinearsOfRun& linears,
                              uint32_t seed);

}  // namespace twofour::train
