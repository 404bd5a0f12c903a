#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/train/exchange/packed_tensors.h"

/// Any bytes must be a file whose packed weights can be unpacked, or give an Error. The weights take at most 32 times
/// the memory of the file. Weights that products read as they are packed stand for the same dense ones.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour;
  try {
    SafetensorsFile file = ParseSafetensors(std::as_bytes(std::span(data, size)), "input");
    SafetensorsFile packed = file;
    train::UnpackTensors(file, "input");
    size_t bytes = 0;
    for (const NamedTensor& named : file.tensors) {
      bytes += static_cast<size_t>(named.tensor.numel()) * SizeOf(named.tensor.dtype());
    }
    assert(bytes <= 32 * size);
    for (const nn::PackedLinear& linear : train::TakePackedLinears(packed, "input", DType::kF32)) {
      const Tensor dense = file.Find(linear.name + ".weight")->To(DType::kF32), same = linear.weight->Unpack();
      const float *const one = dense.data<float>(), *const other = same.data<float>();
      assert(dense.shape() == same.shape() && std::equal(one, one + dense.numel(), other));
      (void)one, (void)other;
    }
  } catch (const Error&) {
  }
  return 0;
}
