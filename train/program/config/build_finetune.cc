#include "twofour/train/program/config/build_finetune.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/random_streams.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/in_field.h"

namespace twofour::train {

nn::LoraSwapOptions BuildLoraSwapOptions(const proto::Config& config) {
  const proto::Finetune& finetune = config.finetune();
  return {.include = finetune.include(),
          .exclude = finetune.exclude(),
          .lora = {.rank = finetune.rank(), .alpha = finetune.alpha()},
          .key = {config.seed(), random_streams::kFirstAdapter, 0}};
}

nn::LoraStages StagesOf(const proto::Config& config) {
  const proto::Finetune& finetune = config.finetune();
  const int64_t steps = config.training().steps();
  const int64_t dense = StepsOfPart(finetune.dense_share(), steps), last = std::max<int64_t>(steps - 1, 0);
  // In a run of few steps, stage 3 still has the last one.
  return {.first_masked_step = std::min(dense, last),
          .first_fixed_step = std::min(dense + StepsOfPart(finetune.search_share(), steps), last),
          .interval = finetune.interval()};
}

nn::SwapReport AddAdapters(const proto::Config& config, nn::Module& model) {
  const nn::SwapReport report =
      InField("finetune", [&] { return nn::SwapSemiSparseLinearWithLoraLinear(model, BuildLoraSwapOptions(config)); });
  if (!report.converted.empty()) return report;
  const auto why = std::ranges::find_if(report.kept_dense,
                                        [](const nn::SwapEntry& entry) { return entry.reason != nn::kNotPruned; });
  throw Error(fmt::format("finetune: no pruned linear gets an adapter{}",
                          why == report.kept_dense.end() ? "" : fmt::format(": {}: {}", why->name, why->reason)));
}

}  // namespace twofour::train
