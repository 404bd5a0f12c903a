#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/sparse/allocation/sensitivity_allocation.h"
#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/sensitivity_file.h"

/// Any text must be a file of sensitivities or give an Error of one line. What is read can be allocated by, or gives an
/// Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour;
  try {
    const train::SensitivityCurves read =
        train::ParseSensitivity(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
    assert(read.layers.size() == read.curves.size() && !read.layers.empty());
    assert(train::ReadPatternKind(train::KindText(read.kind)));
    const auto curves = train::CurvesOf(read, read.layers);
    sparse::AllocationOptions options{.pattern = read.kind};
    if (read.kind.has_budget()) options.pattern.sparsity = 0.5;
    const sparse::Allocation allocation = sparse::AllocateBySensitivity(read.layers, curves, options);
    assert(allocation.sparsity >= 0 && allocation.sparsity <= 1);
  } catch (const Error& error) {
    assert(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
