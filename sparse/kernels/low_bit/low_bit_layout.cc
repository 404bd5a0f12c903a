#include "twofour/sparse/kernels/low_bit/low_bit_layout.h"

#include <algorithm>

namespace twofour::sparse {

void WidenTile(const LowBitView& weight, const uint8_t* tile, uint8_t* to) {
  const LowBitTile narrow = weight.tile(weight.whole_tiles()), whole(weight.kind, weight.two_of_four);
  std::fill_n(to, whole.bytes(), uint8_t{0});
  const int64_t vector_steps = BitsOf(weight.kind) == 4 ? 4 : 2;
  for (int64_t row = 0; row < kLowBitRows; ++row) {
    for (int64_t step = 0; step < kLowBitSteps && weight.two_of_four; ++step) {
      for (const int64_t which : {0, 1}) {
        std::copy_n(tile + narrow.OffsetsAt(row, step, which), narrow.mask_bytes(),
                    to + whole.OffsetsAt(row, step, which));
      }
    }
    for (int64_t step = 0; step < kLowBitSteps; step += vector_steps) {
      std::copy_n(tile + narrow.CodesAt(row, step), 4 * narrow.spans(), to + whole.CodesAt(row, step));
    }
    std::copy_n(tile + narrow.ScalesAt(row), narrow.row_scales(), to + whole.ScalesAt(row));
  }
}

}  // namespace twofour::sparse
