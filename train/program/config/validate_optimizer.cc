#include <fmt/format.h>

#include <string>

#include "twofour/optim/lr_schedule.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

void CheckGroup(const std::string& path, const proto::ParameterGroup& group, Faults& faults) {
  const FieldPath at(path);
  // A negative value means the optimizer's weight_decay.
  faults.Finite(at("weight_decay"), group.weight_decay());
  Check(ToOptions(group, 0), at, faults);
}

}  // namespace

void CheckOptimizer(const proto::Optimizer& optimizer, Faults& faults) {
  CheckGroup("optimizer.embedding", optimizer.embedding(), faults);
  CheckGroup("optimizer.head", optimizer.head(), faults);
  CheckGroup("optimizer.vectors", optimizer.vectors(), faults);
  if (optimizer.has_sgd()) {
    Check(ToOptions(optimizer.sgd()), "optimizer.sgd", faults);
  } else if (optimizer.has_muon()) {
    Check(ToOptions(optimizer.muon()), "optimizer.muon", faults);
    Check(ToOptions(optimizer.muon().adamw()), "optimizer.muon.adamw", faults);
  } else {
    Check(ToOptions(optimizer.adamw()), "optimizer.adamw", faults);
  }
}

void CheckLearningRate(const proto::LearningRate& rate, Faults& faults) {
  optim::CheckRates(rate.lr(), rate.min_lr(), "learning_rate", faults);
  // More steps than the run has are allowed and cut to fit, because the run may be a short trial of a config for long
  // runs.
  faults.InRange("learning_rate.warmup_steps", rate.warmup_steps(), 0, kMaxCount);
  faults.InRange("learning_rate.decay_steps", rate.decay_steps(), 0, kMaxCount);
  faults.Between("learning_rate.warmup_fraction", rate.warmup_fraction(), 0, 1);
  faults.Between("learning_rate.decay_fraction", rate.decay_fraction(), 0, 1);
  if (!faults.IsSound("learning_rate.warmup_fraction")) return;
  constexpr double kRounding = 1e-9;
  faults.Expect(!(rate.warmup_fraction() + rate.decay_fraction() > 1 + kRounding), "learning_rate.decay_fraction",
                rate.decay_fraction(),
                fmt::format("at most 1 - warmup_fraction, which is {:.10g}", 1 - rate.warmup_fraction()));
}

}  // namespace twofour::train
