#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/train/exchange/adapter.h"

/// Any bytes must be an adapter that can be merged into weights of its shapes, or give an Error. The input is the text
/// of a config, a zero byte and a file of tensors.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour;
  const std::span<const uint8_t> input(data, size);
  const auto zero = std::find(input.begin(), input.end(), 0);
  if (zero == input.end()) return 0;
  const std::string_view config(reinterpret_cast<const char*>(data), static_cast<size_t>(zero - input.begin()));
  try {
    const SafetensorsFile file = ParseSafetensors(std::as_bytes(input.subspan(config.size() + 1)), "input");
    const train::Adapter adapter = train::ParseAdapter(config, "config", file, "input");
    std::vector<NamedTensor> weights;
    for (const train::AdapterFactors& factors : adapter.linears) {
      assert(factors.a.dim(0) == adapter.rank && factors.b.dim(1) == adapter.rank);
      const int64_t out = factors.b.dim(0), in = factors.a.dim(1);
      if (out * in > 1 << 20) return 0;  // A model may have it, but it would take too long here.
      weights.push_back({factors.linear + ".weight", Tensor::Zeros({out, in})});
    }
    train::MergeAdapter(adapter, /*keep_zeros=*/true, weights);
    for (const NamedTensor& named : weights) {
      for (const float value : named.tensor.ToVector()) assert(value == 0);
    }
  } catch (const Error&) {
  }
  return 0;
}
