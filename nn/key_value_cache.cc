#include "twofour/nn/key_value_cache.h"

#include <algorithm>
#include <cstddef>

#include "twofour/core/dtype.h"
#include "twofour/core/ops/check.h"

namespace twofour::nn {

void KeyValueCache::DropAllBut(int64_t rows_to_keep) {
  const int64_t dropped = rows() - rows_to_keep;
  if (dropped <= 0) return;
  for (Layer& layer : layers) {
    for (Tensor* tensor : {&layer.keys, &layer.values}) {
      ops::RequireFloating("KeyValueCache", tensor == &layer.keys ? "keys" : "values", *tensor);
      const int64_t batch = tensor->dim(0);
      const int64_t row = tensor->dim(2) * tensor->dim(3) * static_cast<int64_t>(SizeOf(tensor->dtype()));  // In bytes.
      std::byte* data = tensor->mutable_raw();
      for (int64_t b = 0; b < batch; ++b, data += capacity * row) {
        std::copy(data + dropped * row, data + (dropped + rows_to_keep) * row, data);
      }
    }
  }
  first += dropped;
}

}  // namespace twofour::nn
