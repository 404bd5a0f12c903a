#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/sparse/low_bit_weight.h"
#include "twofour/train/exchange/packed_tensors.h"
#include "twofour/train/exchange/quantized_weights.h"

namespace {

/// The weight as products read it.
std::shared_ptr<const twofour::sparse::InferenceWeight> Packed(const twofour::train::QuantizedWeight& weight) {
  using namespace twofour;
  if (const auto* const parts = std::get_if<sparse::LowBitParts>(&weight)) {
    return std::make_shared<const sparse::LowBitWeight>(*parts);
  }
  const auto& [matrix, mask, format, activation] = std::get<train::MaskedInt8Matrix>(weight);
  return std::make_shared<const sparse::Int8Weight>(matrix, mask, format, activation);
}

[[maybe_unused]] bool SameBits(const twofour::NamedTensor& one, const twofour::NamedTensor& other) {
  const size_t bytes = static_cast<size_t>(one.tensor.numel()) * SizeOf(one.tensor.dtype());
  return one.name == other.name && one.tensor.dtype() == other.tensor.dtype() &&
         one.tensor.shape() == other.tensor.shape() &&
         std::equal(one.tensor.raw(), one.tensor.raw() + bytes, other.tensor.raw());
}

}  // namespace

/// Any bytes must be a file whose packed weights can be unpacked, or give an Error. The weights take at most 128 times
/// the memory of the file: a byte may stand for 32 floats. Weights that products read as they are packed stand for the
/// same dense ones, and weights of few bits for those that products of bytes or codes compute with.
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
    assert(bytes <= 128 * size);
    SafetensorsFile quantized = packed;
    for (const nn::PackedLinear& linear : train::TakePackedLinears(packed, "input", DType::kF32)) {
      const Tensor dense = file.Find(linear.name + ".weight")->To(DType::kF32), same = linear.weight->Unpack();
      const float *const one = dense.data<float>(), *const other = same.data<float>();
      assert(dense.shape() == same.shape() && std::equal(one, one + dense.numel(), other));
      (void)one, (void)other;
    }
    // Stricter than UnpackTensors, to which foreign tensors of such names do not matter.
    for (const train::QuantizedLinear& linear : train::TakeQuantizedLinears(quantized, "input")) {
      const Tensor dense = file.Find(linear.name + ".weight")->To(DType::kF32);
      const Tensor same = Packed(linear.weight)->Unpack();
      const float *const one = dense.data<float>(), *const other = same.data<float>();
      assert(dense.shape() == same.shape() && std::equal(one, one + dense.numel(), other));
      (void)one, (void)other;
      std::vector<NamedTensor> parts, parts_again;
      train::AppendQuantizedWeight(linear.name, linear.weight, parts);
      SafetensorsFile again{.tensors = parts, .metadata = {}};
      const std::vector<train::QuantizedLinear> read = train::TakeQuantizedLinears(again, "again");
      assert(read.size() == 1 && again.tensors.empty());
      train::AppendQuantizedWeight(linear.name, read.front().weight, parts_again);
      assert(std::ranges::equal(parts, parts_again, SameBits));
    }
  } catch (const Error&) {
  }
  return 0;
}
