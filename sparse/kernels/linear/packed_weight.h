#pragma once

#include <cassert>
#include <cstddef>

#include "twofour/core/isa.h"

namespace twofour::sparse {

/// How a masked weight lies in memory for the kernels that multiply with it.
enum class PackedLayout {
  kInPlace,            ///< The dense weight as it lies, and its masks (MaskedWeight).
  kMaskedCopy,         ///< A dense copy with zeros.
  kKeptEntries,        ///< Each row's kept entries, with their columns.
  kPairBucket,         ///< PairBucketStream, cut for one instruction set.
  kRoundedPairBucket,  ///< The same with weights rounded to bf16.
  kBf16PairBucket,     ///< Bf16PairBucketStream.
  kVnm,                ///< VnmStream of a PairBucketStream, cut for one instruction set.
  kRoundedVnm,         ///< The same with weights rounded to bf16.
  kBf16Vnm,            ///< VnmStream of a Bf16PairBucketStream.
  kVnmTiles,           ///< VnmTileWeight.
};

/// A masked weight in the layout of some kernels.
class PackedWeight {
 public:
  /// `isa` is the instruction set whose kernels the layout is cut for, or kAny if it is the same for all.
  PackedWeight(PackedLayout layout, Isa isa) : layout_(layout), isa_(isa) {}
  virtual ~PackedWeight() = default;
  PackedWeight(const PackedWeight&) = delete;
  PackedWeight& operator=(const PackedWeight&) = delete;

  PackedLayout layout() const { return layout_; }
  Isa isa() const { return isa_; }
  /// The memory that the packed form takes, in bytes.
  virtual size_t bytes() const = 0;

 private:
  PackedLayout layout_;
  Isa isa_;
};

/// The weight as a Packed. It must have been packed in `layout`, for `isa`.
template <typename Packed>
const Packed& PackedAs(const PackedWeight& weight, [[maybe_unused]] Isa isa, [[maybe_unused]] PackedLayout layout) {
  assert(weight.layout() == layout && weight.isa() == isa);
  return static_cast<const Packed&>(weight);
}
/// The same for a Packed that has one layout only.
template <typename Packed>
const Packed& PackedAs(const PackedWeight& weight, Isa isa) {
  return PackedAs<Packed>(weight, isa, Packed::kLayout);
}

}  // namespace twofour::sparse
