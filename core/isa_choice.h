#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "twofour/core/isa.h"

namespace twofour::internal {

/// What a build, a processor and a system offer. It is a plain value, so that tests can make up machines.
struct Machine {
  std::vector<Isa> built;      ///< The instruction sets that the build has kernels for.
  std::vector<Isa> supported;  ///< Those of them that the processor has.
  bool intel = false;          ///< Whether Intel made the processor.
  /// Asks the system for the right to use AMX's tiles, and the dense library whether it uses them. Either may refuse.
  std::function<bool()> grants_amx;
};

/// Which instruction sets kernels use.
struct IsaChoice {
  std::vector<Isa> allowed;         ///< See AllowedIsas.
  std::vector<Isa> forbidden = {};  ///< See IsForbidden.
  bool bf16_pairs_pay = false;      ///< See Bf16PairsPay.
};

/// The choice for a machine. `limit` is the value of TWOFOUR_MAX_ISA, or empty. AMX is asked for only if the processor
/// has it and the limit does not leave it out. Throws Error for a limit that is not the name of a set in `built`.
IsaChoice ChooseIsas(const Machine& machine, std::string_view limit);

/// A row of the table of instruction sets, which is sorted: fastest first.
struct IsaRow {
  Isa isa;
  std::string_view name;
};
std::span<const IsaRow> IsaRows();

/// For tests. While it lives, all of twofour takes this choice for that of the machine, except for kernels written with
/// Highway, which keep their instruction set. Not while other threads use twofour.
class ScopedIsaChoice {
 public:
  explicit ScopedIsaChoice(IsaChoice choice);
  ~ScopedIsaChoice();
  ScopedIsaChoice(const ScopedIsaChoice&) = delete;
  ScopedIsaChoice& operator=(const ScopedIsaChoice&) = delete;

 private:
  const IsaChoice choice_;
  const IsaChoice* const previous_;
};

}  // namespace twofour::internal
