#include "twofour/sparse/kernels/fused_mlp/bf16_lists.h"

namespace twofour::sparse {

void Bf16ActivationLists::Allocate() {
  uint32_t entries = 0;
  for (Ends& ends : ends_) {
    ends[0] = entries;
    for (int code = 1; code < kCodes; ++code) ends[code] = entries += ends[code];
  }
  storage_ = std::make_unique<Storage>(entries * (sizeof(*values_) + sizeof(*offsets_)));
  values_ = reinterpret_cast<uint32_t(*)[kGroupRows]>(storage_->data());
  offsets_ = reinterpret_cast<uint16_t(*)[2]>(values_ + entries);
}

}  // namespace twofour::sparse
