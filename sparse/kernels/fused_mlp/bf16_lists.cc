#include "twofour/sparse/kernels/fused_mlp/bf16_lists.h"

#include <utility>

namespace twofour::sparse {

Bf16ActivationLists::Bf16ActivationLists(const PanelMatrix& matrix, Rows orientation)
    : orientation_(orientation),
      rows_(orientation == Rows::kBatch ? matrix.batch() : matrix.features()),
      cols_(orientation == Rows::kBatch ? matrix.features() : matrix.batch()),
      block_cols_(matrix.Density() > kFew ? kNarrowBlock : kWideBlock),
      blocks_(CeilDiv(cols_, block_cols_)),
      begins_(static_cast<size_t>(blocks_ * rows_ + 1)) {}

void Bf16ActivationLists::Allocate() {
  uint32_t entries = 0;
  for (uint32_t& begin : begins_) begin = std::exchange(entries, entries + begin);
  storage_ = std::make_unique<Storage>(RoundUpForReuse(entries * (sizeof(*values_) + sizeof(*offsets_))));
  values_ = reinterpret_cast<uint32_t*>(storage_->data());
  offsets_ = reinterpret_cast<uint16_t(*)[2]>(values_ + entries);
}

}  // namespace twofour::sparse
