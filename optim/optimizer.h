#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::optim {

/// Parameters that share settings.
struct ParameterGroup {
  std::vector<NamedTensor> parameters;
  double weight_decay = 0.0;
};

/// Names unnamed parameters "0", "1", ... for an optimizer's state dict.
std::vector<NamedTensor> NumberParameters(const std::vector<Tensor>& parameters);

/// Two groups: tensors of two and more dimensions with `weight_decay`, the others (biases, norms) without.
std::vector<ParameterGroup> DecayMatricesOnly(const std::vector<NamedTensor>& parameters, double weight_decay);

/// Updates parameters in place from their gradients. Parameters without a gradient are passed over. f32 only. Throws
/// Error when two parameters share a name or are one tensor, and on a negative weight_decay.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update. Each parameter's version advances by exactly one.
  void Step();
  void ZeroGrad();

  double lr() const { return lr_; }
  void set_lr(double lr) { lr_ = lr; }
  int64_t step_count() const { return step_count_; }

  /// `step` (i32 []) and, for each parameter that was updated and has state, `<parameter>.step` (i32 [], its own
  /// updates) and `<parameter>.<slot>` of the parameter's shape. Slots are shared, not copied: the next step writes
  /// to them.
  std::vector<NamedTensor> StateDict() const;
  /// Restores a StateDict(). Throws Error that lists every fault, each prefixed by `source` and naming the tensor,
  /// before anything was changed.
  void LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source);

 protected:
  /// `slot_names` name the tensors kept for each parameter ("exp_avg").
  Optimizer(std::vector<ParameterGroup> groups, double lr, std::vector<std::string> slot_names);

  /// What an update works on. slots[i] points at the parameter's tensor for slot_names[i], all zeros before the first
  /// update.
  struct Update {
    int64_t size;
    float* parameter;
    const float* grad;
    std::vector<float*> slots;
    double weight_decay;
    int64_t count;  ///< Updates of this parameter, this one included.
  };
  /// Updates one parameter.
  virtual void UpdateParameter(const Update& update) = 0;

 private:
  struct Entry {
    NamedTensor parameter;
    double weight_decay;
    std::vector<Tensor> slots;  // Empty before the first update.
    int64_t updates = 0;
  };

  double lr_;
  std::vector<std::string> slot_names_;
  std::vector<Entry> entries_;
  int64_t step_count_ = 0;
};

}  // namespace twofour::optim
