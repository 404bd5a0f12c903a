#include "twofour/sparse/kernels/forced_kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/linear_kernel.h"
#include "twofour/sparse/kernels/mask_search.h"

namespace twofour::sparse {

std::string_view ForcedKernelName() {
  const char* value = std::getenv("TWOFOUR_KERNEL");
  if (value == nullptr || *value == '\0') return {};
  const std::string_view name = value;
  std::vector<std::string_view> known;
  for (const LinearKernel& kernel : LinearKernels()) known.push_back(kernel.name);
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) known.push_back(kernel.name);
  for (const std::string_view candidate : known) {
    if (candidate == name) return name;
  }
  throw Error(fmt::format("TWOFOUR_KERNEL={}: no such kernel, expected one of {}", name, fmt::join(known, ", ")));
}

}  // namespace twofour::sparse
