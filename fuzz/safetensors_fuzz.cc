#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"

/// Any bytes are tensors that can be read and others that can be told of, no larger together than the file, or an
/// Error.
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
  } catch (const twofour::Error&) {  // What a malformed file is to throw; anything else is a finding.
  }
  return 0;
}
