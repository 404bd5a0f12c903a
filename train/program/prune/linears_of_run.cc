#include "twofour/train/program/prune/linears_of_run.h"

#include <fmt/format.h>

#include <numeric>

#include "twofour/core/faults.h"
#include "twofour/core/random_streams.h"

namespace twofour::train {

void RequireSoundArguments(nn::OneShotOptions options, const LinearsOfRun& linears) {
  options.include = linears.include.value_or(".*");
  options.exclude = linears.exclude.value_or("");
  const int64_t unit = options.pattern.format.size_unit();
  options.multiple_of = linears.multiple_of.value_or(unit);
  FieldPath::Names names = {{"multiple_of", "--multiple-of"}};
  for (const char* const field : {"include", "exclude", "pattern", "order", "dampening", "block", "iterations"}) {
    names.emplace_back(field, fmt::format("--{}", field));
  }
  Faults faults("", ": ");
  const FieldPath at("", names);
  Check(options, at, faults);
  faults.Expect(options.multiple_of % unit == 0, at("multiple_of"), options.multiple_of,
                fmt::format("a multiple of {} for {}", unit, options.pattern.ToString()));
  faults.Throw();
}

nn::OneShotOptions OptionsFor(const proto::Config& config, nn::OneShotOptions options, const LinearsOfRun& linears,
                              uint32_t seed) {
  options.include = linears.include.value_or(config.sparsity().include());
  options.exclude = linears.exclude.value_or(config.sparsity().exclude());
  const int64_t unit = options.pattern.format.size_unit();
  options.multiple_of = linears.multiple_of.value_or(std::lcm(config.sparsity().multiple_of(), unit));
  options.more_inputs = "more --samples";
  options.key = {seed, random_streams::kFirstMask, 0};
  return options;
}

}  // namespace twofour::train
