#pragma once

#include <memory>

#include "twofour/optim/optimizer.h"

namespace twofour::optim {

/// Several optimizers as one, such as Muon for matrices and AdamW for the rest. Each updates its own parameters. All
/// have the same learning rate; a group that needs another one has an lr_scale.
class OptimizerList : public Optimizer {
 public:
  /// Throws Error on an empty list, a null part, parts that differ in lr or in their number of steps, and a parameter
  /// whose elements or name are in two parts.
  explicit OptimizerList(std::vector<std::unique_ptr<Optimizer>> parts);

  void Step() override;
  void ZeroGrad() override;

  double lr() const override;
  void set_lr(double lr) override;
  int64_t step_count() const override;
  std::vector<NamedTensor> Parameters() const override;
  std::vector<double> UpdateCosts() const override;

  void AppendState(std::vector<NamedTensor>& state) const override;
  StateCommit ReadState(StateReader& reader, int64_t steps) override;

 private:
  std::vector<std::unique_ptr<Optimizer>> parts_;
};

}  // namespace twofour::optim
