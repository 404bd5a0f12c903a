#include <cmath>
#include <limits>

#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

void CheckAdamW(const std::string& path, const proto::AdamW& adamw, Faults& faults) {
  faults.Probability(path + ".beta1", adamw.beta1());
  faults.Probability(path + ".beta2", adamw.beta2());
  faults.Expect(static_cast<float>(adamw.eps()) > 0 && std::isfinite(adamw.eps()), path + ".eps", adamw.eps(),
                "a number above 0 that a float can hold");
  faults.AtLeast(path + ".weight_decay", adamw.weight_decay(), 0);
}

void CheckParameterGroup(const std::string& path, const proto::ParameterGroup& group, Faults& faults) {
  faults.AtLeast(path + ".lr_scale", group.lr_scale(), 0);
  faults.Finite(path + ".weight_decay", group.weight_decay());
}

}  // namespace

void CheckOptimizer(const proto::Optimizer& optimizer, Faults& faults) {
  CheckParameterGroup("optimizer.embedding", optimizer.embedding(), faults);
  CheckParameterGroup("optimizer.head", optimizer.head(), faults);
  CheckParameterGroup("optimizer.vectors", optimizer.vectors(), faults);
  if (optimizer.has_sgd()) {
    const proto::Sgd& sgd = optimizer.sgd();
    faults.Probability("optimizer.sgd.momentum", sgd.momentum());
    faults.AtLeast("optimizer.sgd.weight_decay", sgd.weight_decay(), 0);
    faults.Expect(!sgd.nesterov() || sgd.momentum() > 0, "optimizer.sgd.nesterov", sgd.nesterov(),
                  "a momentum above 0 with it");
  } else if (optimizer.has_muon()) {
    const proto::Muon& muon = optimizer.muon();
    faults.Probability("optimizer.muon.momentum", muon.momentum());
    faults.InRange("optimizer.muon.ns_steps", muon.ns_steps(), 1, 100);
    faults.AtLeast("optimizer.muon.weight_decay", muon.weight_decay(), 0);
    CheckAdamW("optimizer.muon.adamw", muon.adamw(), faults);
  } else {
    CheckAdamW("optimizer.adamw", optimizer.adamw(), faults);
  }
}

void CheckLearningRate(const proto::LearningRate& rate, Faults& faults) {
  faults.AtLeast("learning_rate.lr", rate.lr(), 0);
  constexpr double kMost = std::numeric_limits<float>::max();
  faults.Expect(!std::isfinite(rate.lr()) || rate.lr() <= kMost, "learning_rate.lr", rate.lr(),
                fmt::format("at most {:.2g}, as the 32-bit floats of an update can hold", kMost));
  faults.Expect(rate.min_lr() >= 0 && rate.min_lr() <= rate.lr(), "learning_rate.min_lr", rate.min_lr(),
                fmt::format("0 to lr, which is {}", rate.lr()));
  if (rate.schedule() == proto::LearningRate::CONSTANT) {
    faults.Expect(rate.warmup_steps() == 0, "learning_rate.warmup_steps", rate.warmup_steps(), "0 with CONSTANT");
    faults.Expect(rate.warmup_fraction() == 0, "learning_rate.warmup_fraction", rate.warmup_fraction(),
                  "0 with CONSTANT");
    faults.Expect(rate.min_lr() == 0, "learning_rate.min_lr", rate.min_lr(), "0 with CONSTANT");
  }
  const char* const kNoDecay = "0 unless the schedule is WARMUP_STABLE_DECAY";
  const bool has_decay = rate.schedule() == proto::LearningRate::WARMUP_STABLE_DECAY;
  faults.Expect(rate.decay_steps() == 0 || has_decay, "learning_rate.decay_steps", rate.decay_steps(), kNoDecay);
  faults.Expect(rate.decay_fraction() == 0 || has_decay, "learning_rate.decay_fraction", rate.decay_fraction(),
                kNoDecay);
  // More steps than the run has are cut to fit: the run may be a short trial of a config for long ones.
  faults.InRange("learning_rate.warmup_steps", rate.warmup_steps(), 0, kMaxCount);
  faults.InRange("learning_rate.decay_steps", rate.decay_steps(), 0, kMaxCount);
  faults.Between("learning_rate.warmup_fraction", rate.warmup_fraction(), 0, 1);
  faults.Between("learning_rate.decay_fraction", rate.decay_fraction(), 0, 1);
  constexpr double kRounding = 1e-9;
  faults.Expect(!(rate.warmup_fraction() + rate.decay_fraction() > 1 + kRounding), "learning_rate.decay_fraction",
                rate.decay_fraction(),
                fmt::format("at most 1 - warmup_fraction, which is {}", 1 - rate.warmup_fraction()));
}

}  // namespace twofour::train
