#include "twofour/train/program/prune/linears_of_run.h"

#include <fmt/format.h>

#include "twofour/core/faults.h"
#include "twofour/core/random_streams.h"

namespace twofour::train {

void RequireSoundArguments(nn::OneShotOptions options, const LinearsOfRun& linears) {
  options.include = linears.include.value_or(".*");
  options.exclude = linears.exclude.value_or("");
  FieldPath::Names names;
  for (const char* const field : {"include", "exclude", "pattern", "order", "dampening", "block", "iterations"}) {
    names.emplace_back(field, fmt::format("--{}", field));
  }
  Faults faults("", ": ");
  Check(options, FieldPath("", names), faults);
  faults.Throw();
}

nn::OneShotOptions OptionsFor(const proto::Config& config, nn::OneShotOptions options, const LinearsOfRun& linears,
                              uint32_t seed) {
  options.include = linears.include.value_or(config.sparsity().include());
  options.exclude = linears.exclude.value_or(config.sparsity().exclude());
  options.multiple_of = options.pattern.format.size_unit();
  options.key = {seed, random_streams::kFirstMask, 0};
  return options;
}

}  // namespace twofour::train
