#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/state_reader.h"
#include "twofour/core/tensor.h"

namespace twofour::optim {

/// The name of a count of updates in a state dict: "step" for the optimizer, `<parameter>.step` for each parameter.
inline constexpr char kStepName[] = "step";

/// Updates parameters in place from their gradients. Step, ZeroGrad and LoadStateDict must run alone: not beside one
/// another, and not beside anything that reads the parameters (forward passes) or adds to their gradients (Backward).
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Makes one update. Skips parameters without a gradient.
  virtual void Step() = 0;
  virtual void ZeroGrad() = 0;

  virtual double lr() const = 0;
  /// Throws Error, and changes nothing, on a rate that CheckLr (lr_schedule.h) finds fault with.
  virtual void set_lr(double lr) = 0;
  virtual int64_t step_count() const = 0;
  /// The parameters that it updates.
  virtual std::vector<NamedTensor> Parameters() const = 0;
  /// About how long the update of each of Parameters() takes, in the time that AdamW takes for one element.
  virtual std::vector<double> UpdateCosts() const;

  /// Holds `step` (i32 []) and each parameter's state as PARAMETER.WHAT. Tensors are shared, not copied: the next
  /// step writes to them.
  std::vector<NamedTensor> StateDict() const;
  /// Restores a StateDict(). If anything is wrong, changes nothing and throws Error that lists every fault, each
  /// prefixed by `source` and with the name of its tensor.
  void LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source);

  /// The first half of LoadStateDict: takes everything from `reader` and changes nothing yet. Lets a caller read the
  /// states of several objects before it changes any.
  StateCommit ReadStateDict(StateReader& reader);
  /// What StateReader::Finish says about a tensor that no optimizer has taken.
  static constexpr char kUnknownTensor[] = "belongs to no parameter of this optimizer";

  // The parts of StateDict and ReadStateDict that differ between optimizers. Public for OptimizerList, which puts
  // several together.

  /// Appends each parameter's state.
  virtual void AppendState(std::vector<NamedTensor>& state) const = 0;
  /// Takes each parameter's state from `reader`, and changes nothing yet. `steps` is the optimizer's step count: no
  /// parameter can have more updates.
  virtual StateCommit ReadState(StateReader& reader, int64_t steps) = 0;

 protected:
  Optimizer() = default;
};

}  // namespace twofour::optim
