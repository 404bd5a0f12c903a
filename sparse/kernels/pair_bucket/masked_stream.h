#pragma once

#include <cstdint>
#include <numeric>

#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/kernels/pair_bucket/panel_work.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_stream.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A masked weight, or its transpose, as kernels run over it: a PairBucketStream or a Bf16PairBucketStream, by itself
/// or in a VnmStream.
template <typename Stream>
struct MaskedStream {
  const Stream& stream;
  const VnmColumns* names;  ///< See VnmStream.

  /// A weight that was packed for `isa`, in the layout `plain` or, as a VnmStream, in the layout `vnm`.
  static MaskedStream Of(const PackedWeight& packed, Isa isa, PackedLayout plain, PackedLayout vnm) {
    if (packed.layout() != vnm) return {PackedAs<Stream>(packed, isa, plain), nullptr};
    const auto& m = PackedAs<VnmStream<Stream>>(packed, isa, vnm);
    return {m.stream(), m.names()};
  }

  int64_t rows() const { return stream.rows(); }
  int64_t cols() const { return stream.cols(); }
  int64_t block_cols() const { return stream.block_cols(); }
  /// Strips of four rows of the matrix.
  int64_t strips() const { return stream.rows() / 4; }

  /// How many strips must stay together in ranges: whole groups of `group` rows, and of columns of V:N:M.
  int64_t StripsTogether(int64_t group) const { return (names != nullptr ? std::lcm(names->m(), group) : group) / 4; }

  /// The work of a product of `batch` rows in panels of `panel`, and in ranges of strips: see StripsTogether.
  PanelWork WorkFor(int64_t batch, int64_t panel, int64_t group) const {
    return {strips(), cols(), batch, panel, StripsTogether(group)};
  }
};

/// Room for the sums of `strips` strips in a panel: those of their rows, and of one more to which nothing that counts
/// is added.
constexpr int64_t SumsFor(int64_t strips, int64_t panel) { return (strips * 4 + 1) * panel; }

}  // namespace twofour::sparse
