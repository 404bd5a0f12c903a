#pragma once

#include <memory>

#include "twofour/optim/optimizer.h"

namespace twofour::optim {

/// Several optimizers as one, say Muon for matrices and AdamW for the rest. Each updates its own parameters; the
/// learning rate is common to all, and a group that needs another has an lr_scale.
class OptimizerList : public Optimizer {
 public:
  /// Throws Error on an empty list, a null part, parts that differ in lr or have been stepped differently, and where a
  /// parameter's tensor or name stands in two parts.
  explicit OptimizerList(std::vector<std::unique_ptr<Optimizer>> parts);

  void Step() override;
  void ZeroGrad() override;

  double lr() const override;
  void set_lr(double lr) override;
  int64_t step_count() const override;
  std::vector<NamedTensor> Parameters() const override;

  void AppendState(std::vector<NamedTensor>& state) const override;
  StateCommit ReadState(StateReader& reader, int64_t steps) override;

 private:
  std::vector<std::unique_ptr<Optimizer>> parts_;
};

}  // namespace twofour::optim
