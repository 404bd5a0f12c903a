#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::optim {

inline constexpr char kStepName[] = "step";

/// A count as state dicts hold it: i32 [].
Tensor CountTensor(int64_t count);

/// A state dict from outside that is taken apart by name, and the faults found on the way.
class StateReader {
 public:
  /// Takes `step`. `source` names the state dict in messages.
  StateReader(const std::vector<NamedTensor>& state, std::string source);

  /// The optimizer's steps.
  int64_t step() const { return step_; }
  /// The tensor of that name, undefined where there is none. Not again: what is taken is gone.
  Tensor Take(const std::string& name);
  /// A CountTensor of that name. Notes a fault, and returns 0, where it is missing or less than `at_least`.
  int64_t TakeCount(const std::string& name, int64_t at_least);
  /// Notes what is wrong with the tensor or parameter `name`.
  void Fault(const std::string& name, const std::string& what);
  /// Throws Error with all faults if there are any; what nobody took is one.
  void Finish();

 private:
  std::string source_;
  std::string faults_;
  std::map<std::string, Tensor> tensors_;
  int64_t step_;
};

}  // namespace twofour::optim
