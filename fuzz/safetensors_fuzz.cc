#include <cstddef>
#include <cstdint>
#include <span>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    twofour::ParseSafetensors(std::as_bytes(std::span(data, size)), "input");
  } catch (const twofour::Error&) {  // What a malformed file is to throw; anything else is a finding.
  }
  return 0;
}
