#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "twofour/core/error.h"
#include "twofour/train/data/idx.h"

/// Any bytes must be an array of the size that its dimensions announce, or give an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const twofour::train::IdxArray array = twofour::train::ParseIdx(std::as_bytes(std::span(data, size)), "fuzz");
    int64_t elements = 1;
    for (int64_t dim : array.dims) elements *= dim;
    assert(elements == static_cast<int64_t>(array.bytes.size()));
  } catch (const twofour::Error&) {
  }
  return 0;
}
