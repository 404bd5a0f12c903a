#include "twofour/nn/key_value_cache.h"

#include <algorithm>

#include "twofour/core/ops/check.h"

namespace twofour::nn {

void KeyValueCache::DropAllBut(int64_t rows_to_keep) {
  const int64_t dropped = rows() - rows_to_keep;
  if (dropped <= 0) return;
  for (Layer& layer : layers) {
    for (Tensor* tensor : {&layer.keys, &layer.values}) {
      ops::RequireDType("KeyValueCache", tensor == &layer.keys ? "keys" : "values", *tensor, DType::kF32);
      const int64_t batch = tensor->dim(0), row = tensor->dim(2) * tensor->dim(3);
      float* data = tensor->mutable_data<float>();
      for (int64_t b = 0; b < batch; ++b, data += capacity * row) {
        std::copy(data + dropped * row, data + (dropped + rows_to_keep) * row, data);
      }
    }
  }
  first += dropped;
}

}  // namespace twofour::nn
