#include "twofour/train/program/cli/lora_report.h"

#include <fmt/format.h>

#include <ostream>

#include "twofour/train/program/config/build_finetune.h"

namespace twofour::train {

void PrintLoraReport(const nn::SwapReport& report, const proto::Config& config, std::ostream& out) {
  const proto::Finetune& finetune = config.finetune();
  const nn::LoraStages stages = StagesOf(config);
  int64_t parameters = 0;
  for (const nn::SwapEntry& entry : report.converted) {
    parameters += finetune.rank() * (entry.out_features + entry.in_features);
  }
  out << fmt::format("✓ LoRA of rank {}, alpha {:g}: {} linears adapted, {} parameters trained, the rest frozen\n",
                     finetune.rank(), finetune.alpha(), report.converted.size(), parameters);
  out << fmt::format(
      "  stage 1, without masks: to step {}; 2, masks found every {} steps: to {}; 3, masks fixed: to {}\n",
      stages.first_masked_step, stages.interval, stages.first_fixed_step, config.training().steps());
  for (const nn::SwapEntry& entry : report.kept_dense) {
    if (entry.reason == nn::kNotPruned) continue;  // The report of the pruned linears says why.
    out << fmt::format("    {} [{}, {}] without adapter: {}\n", entry.name, entry.out_features, entry.in_features,
                       entry.reason);
  }
}

}  // namespace twofour::train
