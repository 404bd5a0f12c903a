#include "twofour/train/skipped_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/nn/state_dict.h"

namespace twofour::train {

void RequireNoneNeeded(const std::vector<SkippedTensor>& skipped, nn::Module& model, const std::string& source) {
  if (skipped.empty()) return;
  const std::vector<NamedTensor> state = nn::StateDict(model);
  std::vector<std::string> faults;
  for (const SkippedTensor& tensor : skipped) {
    const auto needed =
        std::ranges::find_if(state, [&](const NamedTensor& named) { return named.name == tensor.name; });
    if (needed == state.end()) continue;
    faults.push_back(fmt::format("{}: tensor '{}': {}, the model expects {} {}", source, tensor.name, Describe(tensor),
                                 NameOf(needed->tensor.dtype()), ToString(needed->tensor.shape())));
  }
  if (!faults.empty()) throw Error(fmt::format("{}", fmt::join(faults, "\n")));
}

}  // namespace twofour::train
