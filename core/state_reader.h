#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour {

/// A count in the form that state dicts have: i32 [].
Tensor CountTensor(int64_t count);

/// Writes what was read into the object that read it. Fails only if there is no memory.
using StateCommit = std::function<void()>;

/// Reads a state dict that comes from outside. Every part of a model or an optimizer takes its tensors by name, notes
/// faults, changes nothing, and returns a StateCommit. Then the owner of the reader calls Finish, which throws if there
/// was any fault, and runs the commits. So a state dict that does not fit changes nothing, and the user sees all its
/// faults at once.
class StateReader {
 public:
  /// `source` names the state dict in messages. Tensors are shared, not copied.
  StateReader(const std::vector<NamedTensor>& state, std::string source);

  /// Whether the state dict names this tensor and nobody has taken it yet, even if it cannot be used (it is undefined,
  /// or there twice).
  bool Has(const std::string& name) const { return tensors_.contains(name); }
  /// The tensor of that name; undefined if there is none that can be used. Each tensor can be taken once.
  Tensor Take(const std::string& name);
  /// A count that must be there. Notes a fault, and returns nothing, if it is missing or not in [at_least, 2^31).
  std::optional<int64_t> TakeCount(const std::string& name, int64_t at_least);
  /// The value of a tensor of one element; nothing if there is no tensor of that name. If its size or dtype differs, or
  /// its value is not in [least, most], notes the fault `expected` ("expected one f64 in [0, 1]") and returns nothing.
  std::optional<double> TakeScalar(const std::string& name, DType dtype, double least, double most,
                                   std::string_view expected);
  /// Notes what is wrong with the tensor `name`. Only the first fault of a name is noted, because the others follow
  /// from it: a tensor that is undefined is also missing.
  void Fault(const std::string& name, std::string_view what);
  /// The number of faults noted so far.
  size_t fault_count() const { return faulty_.size(); }
  /// Throws Error that lists all faults, if there are any. A tensor that was never taken is a fault: `unknown` says
  /// what it is ("the model has no such tensor").
  void Finish(std::string_view unknown);

 private:
  std::string source_;
  std::string faults_;
  std::set<std::string> faulty_;  // The names that have a fault.
  // Undefined for a name whose tensor cannot be used.
  std::map<std::string, Tensor> tensors_;
};

}  // namespace twofour
