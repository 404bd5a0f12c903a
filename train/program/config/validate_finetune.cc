#include <fmt/format.h>

#include <string>

#include "twofour/sparse/scores/mask_score.h"
#include "twofour/train/program/config/build_finetune.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

/// The parts of the steps, each alone and both together.
void CheckShares(const proto::Config& config, Faults& faults) {
  const proto::Finetune& finetune = config.finetune();
  const double dense = finetune.dense_share(), search = finetune.search_share();
  faults.Probability("finetune.dense_share", dense);
  faults.Probability("finetune.search_share", search);
  if (!faults.IsSound("finetune.dense_share") || !faults.IsSound("finetune.search_share")) return;
  faults.Expect(dense + search < 1, "finetune.search_share", search,
                fmt::format("less than 1 - dense_share, which is {:.10g}: the rest is stage 3", 1 - dense));
}

}  // namespace

void CheckFinetune(const proto::Config& config, Faults& faults) {
  if (!config.has_finetune()) return;
  const std::string beside = " beside finetune";
  faults.Expect(!config.initial_weights().empty(), "initial_weights", "none",
                "a file of weights to adapt (trainer finetune --from RUN gives it)");
  const bool searches = config.finetune().dense_share() != 0 || config.finetune().search_share() != 0;
  faults.Expect(!config.initial_masks() || !searches, "initial_masks", "true",
                "false" + beside + ", which finds masks of its own unless its dense_share and search_share are 0");
  faults.Expect(config.sparsity().enabled(), "sparsity.enabled", "false", "true" + beside);
  const proto::Score score = config.sparsity().score();
  faults.Expect(!sparse::NeedsOf(ToScore(score)).gradients, "sparsity.score", proto::Score_Name(score),
                "a score that needs no gradients" + beside + ": the weights are frozen");
  CheckShares(config, faults);
  faults.InRange("finetune.interval", config.finetune().interval(), 1, kMaxCount);
  nn::Check(BuildLoraSwapOptions(config), {"finetune", {{"lora", ""}}}, faults);
}

}  // namespace twofour::train
