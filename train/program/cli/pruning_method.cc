#include "twofour/train/program/cli/pruning_method.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/nn/one_shot_names.h"

namespace twofour::train {

void SetPruningMethod(std::string_view name, nn::OneShotOptions& options) {
  if (nn::SetMethod(name, options)) return;
  throw Error(fmt::format("--method: '{}', expected {}", name, nn::MethodNames()));
}

}  // namespace twofour::train
