#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"

/// Any bytes must be a file of tensors, or give an Error. The tensors that are read are together no larger than the
/// file; the others are skipped and can be described.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const twofour::SafetensorsFile file = twofour::ParseSafetensors(std::as_bytes(std::span(data, size)), "input");
    size_t bytes = 0;
    for (const twofour::NamedTensor& named : file.tensors) {
      bytes += static_cast<size_t>(named.tensor.numel()) * twofour::SizeOf(named.tensor.dtype());
    }
    assert(bytes <= size);
    for (const twofour::SkippedTensor& skipped : file.skipped) {
      assert(!twofour::Describe(skipped).empty() && file.Find(skipped.name) == nullptr);
    }
  } catch (const twofour::Error&) {  // A malformed file must throw this. Anything else is a finding.
  }
  return 0;
}
