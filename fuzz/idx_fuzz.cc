#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "twofour/core/error.h"
#include "twofour/train/data/idx.h"

/// Any bytes must be an array of the size that its dimensions announce, or give an Error; and its images must have the
/// shape that a model was made with, or give an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour;
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const train::IdxArray array = train::ParseIdx(bytes, "fuzz");
    int64_t elements = 1;
    for (int64_t dim : array.dims) elements *= dim;
    assert(elements == static_cast<int64_t>(array.bytes.size()));
    for (const Shape& shape : {Shape{6}, Shape{2, 3}, Shape{array.dims.begin() + 1, array.dims.end()}}) {
      try {
        const Tensor images = train::ReadImages(bytes, shape, "fuzz");
        assert(images.dim(0) == array.dims[0] && images.dim(1) == NumElements(shape));
        assert(images.numel() == elements);
      } catch (const Error&) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
