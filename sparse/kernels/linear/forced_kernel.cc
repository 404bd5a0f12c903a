#include "twofour/sparse/kernels/linear/forced_kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/int8/int8_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"

namespace twofour::sparse {
namespace {

/// Calls visit(name) for each name of a comma-separated list.
template <typename Visit>
void ForEachName(std::string_view list, Visit visit) {
  while (true) {
    const size_t comma = list.find(',');
    visit(list.substr(0, comma));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string WhyNotHere(Isa isa) {
  if (IsAllowed(isa)) return {};
  return fmt::format("needs {}, and {} is the best that this processor and TWOFOUR_MAX_ISA allow", NameOf(isa),
                     NameOf(BestIsa()));
}

std::string_view ForcedKernels() {
  const char* value = std::getenv("TWOFOUR_KERNEL");
  if (value == nullptr || *value == '\0') return {};
  std::vector<std::string_view> known;
  const auto add = [&known](const auto& table) {
    for (const auto& kernel : table) known.push_back(kernel.name);
  };
  add(LinearKernels());
  add(MaskSearchKernels());
  add(FusedMlpKernels());
  add(Int8Kernels());
  add(LowBitKernels());
  ForEachName(value, [&](std::string_view name) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    throw Error(fmt::format("TWOFOUR_KERNEL={}: no kernel '{}', expected one or more of {}, separated by commas", value,
                            name, fmt::join(known, ", ")));
  });
  return value;
}

std::vector<std::string> ForcedKernelNames() {
  std::vector<std::string> names;
  const std::string_view list = ForcedKernels();
  if (!list.empty()) ForEachName(list, [&](std::string_view name) { names.emplace_back(name); });
  return names;
}

bool IsForced(std::string_view kernel_name) {
  const std::vector<std::string> names = ForcedKernelNames();
  return std::find(names.begin(), names.end(), kernel_name) != names.end();
}

}  // namespace twofour::sparse
