#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/shape.h"
#include "twofour/optim/optimizer.h"
#include "twofour/optim/parameter_group.h"

namespace twofour::optim {

/// An optimizer that updates each parameter independently and keeps tensors of the parameter's shape for it, its slots.
/// f32 only. The constructor throws Error if two parameters share a name or their elements, on a group that Check finds
/// fault with, and on a learning rate that CheckLr finds fault with.
///
/// Its state dict has, for each parameter that was updated and has slots, `<parameter>.step` (i32 [], the updates of
/// this parameter, at most the optimizer's) and `<parameter>.<slot>`. No slot holds a NaN or a number below its least.
class SlotOptimizer : public Optimizer {
 public:
  /// Each parameter's version advances by exactly one.
  void Step() override;
  void ZeroGrad() override;

  double lr() const override { return lr_; }
  void set_lr(double lr) override;
  int64_t step_count() const override { return step_count_; }
  std::vector<NamedTensor> Parameters() const override;

  void AppendState(std::vector<NamedTensor>& state) const override;
  StateCommit ReadState(StateReader& reader, int64_t steps) override;

 protected:
  /// A tensor that is kept for each parameter.
  struct Slot {
    std::string name;                                       ///< "exp_avg".
    float least = -std::numeric_limits<float>::infinity();  ///< The least number that an element can be.
  };

  /// `faults` are those of the derived class's options, so that they are told together with those of the groups.
  SlotOptimizer(std::vector<ParameterGroup> groups, double lr, std::vector<Slot> slots,
                Faults faults = Faults("optimizer: "));

  /// What an update works on. slots[i] points at the parameter's tensor for slot i, all zeros before the first update.
  struct Update {
    const Shape& shape;
    int64_t size;
    float* parameter;
    const float* grad;
    std::vector<float*> slots;
    double lr;  ///< Includes the lr_scale of the parameter's group.
    double weight_decay;
    int64_t count;  ///< Updates of this parameter, this one included.
  };
  /// Updates one parameter.
  virtual void UpdateParameter(const Update& update) = 0;

 private:
  struct Entry {
    NamedTensor parameter;
    double weight_decay;
    double lr_scale;
    std::vector<Tensor> slots;  // Empty before the first update.
    int64_t updates = 0;
  };

  /// Takes a slot's tensor for this parameter from `reader`.
  static Tensor TakeSlot(const Slot& slot, const NamedTensor& parameter, StateReader& reader);

  double lr_;
  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  int64_t step_count_ = 0;
};

}  // namespace twofour::optim
