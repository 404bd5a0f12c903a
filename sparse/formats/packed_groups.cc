#include "twofour/sparse/formats/packed_groups.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/sparse/formats/stored_groups.h"

namespace twofour::sparse {
namespace {

/// The sizes that a shape and a pattern give.
struct Layout {
  int64_t rows, cols, groups, values;  ///< Groups and values of one row.
  int bits;                            ///< Of one place.
  int64_t position_bytes;              ///< Of one row.
};

Layout LayoutOf(int64_t rows, int64_t cols, const GroupPattern& pattern) {
  const int64_t groups = CeilDiv(cols, pattern.m), values = groups * pattern.n;
  const int bits = std::bit_width(static_cast<uint64_t>(pattern.m - 1));
  return {rows, cols, groups, values, bits, CeilDiv(values * bits, int64_t{8})};
}

/// Number `at` of the places that begin at `bytes`, which take `bits` each.
void SetPlace(uint8_t* bytes, int64_t at, int bits, uint32_t place) {
  for (int b = 0; b < bits; ++b) {
    const int64_t bit = at * bits + b;
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | (place >> b & 1) << (bit % 8));
  }
}

uint32_t PlaceAt(const uint8_t* bytes, int64_t at, int bits) {
  uint32_t place = 0;
  for (int b = 0; b < bits; ++b) {
    const int64_t bit = at * bits + b;
    place |= static_cast<uint32_t>(bytes[bit / 8] >> (bit % 8) & 1) << b;
  }
  return place;
}

}  // namespace

PackedGroups PackGroups(const Tensor& weight, const GroupPattern& pattern, const std::string& name) {
  RequireStorable(pattern, name);
  RequireStorable(weight, name);
  const Layout layout = LayoutOf(weight.dim(0), weight.dim(1), pattern);
  PackedGroups packed{.values = Tensor::Zeros({layout.rows, layout.values}, weight.dtype()),
                      .positions = Tensor::Zeros({layout.rows, layout.position_bytes}, DType::kU8),
                      .pattern = Tensor::FromVector<int64_t>({layout.rows, layout.cols, pattern.n, pattern.m}, {4})};
  const auto size = static_cast<int64_t>(SizeOf(weight.dtype()));
  std::byte* const values = packed.values.mutable_raw();
  uint8_t* const positions = packed.positions.mutable_data<uint8_t>();
  ForEachGroupWithinPattern(weight, pattern, name, [&](int64_t row, int64_t group, uint32_t nonzeros) {
    const uint32_t places = FilledUp(nonzeros, pattern.n);
    int64_t at = group * pattern.n;  // Among the row's values.
    for (int64_t place = 0; place < pattern.m; ++place) {
      if ((places >> place & 1) == 0) continue;
      SetPlace(positions + row * layout.position_bytes, at, layout.bits, static_cast<uint32_t>(place));
      if (const int64_t col = group * pattern.m + place; col < layout.cols) {
        std::memcpy(values + (row * layout.values + at) * size, weight.raw() + (row * layout.cols + col) * size,
                    static_cast<size_t>(size));
      }
      ++at;
    }
  });
  return packed;
}

Tensor UnpackGroups(const PackedGroups& packed, const std::string& name) {
  const GroupsReader reader(packed, name);
  Tensor weight = Tensor::Zeros({reader.rows(), reader.cols()}, packed.values.dtype());
  if (weight.numel() == 0) return weight;  // It may nevertheless have very many rows.
  const auto& [n, m] = reader.pattern();
  const auto size = static_cast<int64_t>(SizeOf(weight.dtype()));
  std::byte* const to = weight.mutable_raw();
  const std::byte* from = packed.values.raw();
  for (int64_t row = 0; row < reader.rows(); ++row) {
    for (int64_t i = 0; i < reader.values(); ++i, from += size) {
      const int64_t col = i / n * m + reader.PlaceOf(row, i);
      if (col < reader.cols()) std::memcpy(to + (row * reader.cols() + col) * size, from, static_cast<size_t>(size));
    }
  }
  return weight;
}

GroupsReader::GroupsReader(const PackedGroups& packed, const std::string& name, StoredValues kind) {
  const auto fail = [&name](const std::string& what) { throw Error(fmt::format("{}: {}", name, what)); };
  const auto& [values, positions, numbers] = packed;
  if (!numbers.defined() || numbers.dtype() != DType::kI64 || numbers.shape() != Shape{4}) {
    fail(fmt::format("pattern is {}, expected i64 [4]: rows, columns, N, M", Describe(numbers)));
  }
  const int64_t* const given = numbers.data<int64_t>();
  pattern_ = {given[2], given[3]};
  RequireStorable(pattern_, name);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (given[0] < 0 || given[1] < 0 || given[0] > kMost || given[1] > kMost) {
    fail(fmt::format("shape [{}, {}], expected sizes from 0 to {}", given[0], given[1], kMost));
  }
  const Layout layout = LayoutOf(given[0], given[1], pattern_);
  RequireValues(values, kind, {layout.rows, layout.values}, name);
  if (!positions.defined() || positions.dtype() != DType::kU8 ||
      positions.shape() != Shape{layout.rows, layout.position_bytes}) {
    fail(
        fmt::format("positions are {}, expected u8 [{}, {}]", Describe(positions), layout.rows, layout.position_bytes));
  }
  rows_ = layout.rows;
  cols_ = layout.cols;
  values_ = layout.values;
  row_bytes_ = layout.position_bytes;
  bits_ = layout.bits;
  if (rows_ == 0 || cols_ == 0) return;  // It may nevertheless have very many rows.
  positions_ = positions.data<uint8_t>();
  RequirePlaces(values, name);
}

int64_t GroupsReader::PlaceOf(int64_t row, int64_t at) const {
  return PlaceAt(positions_ + row * row_bytes_, at, bits_);
}

void GroupsReader::RequirePlaces(const Tensor& values, const std::string& name) const {
  const auto& [n, m] = pattern_;
  for (int64_t row = 0; row < rows_; ++row) {
    const auto fail = [&](const std::string& what) { throw Error(fmt::format("{}: row {}: {}", name, row, what)); };
    int64_t before = -1;  // The place of the value before this one in the group.
    for (int64_t i = 0; i < values_; ++i) {
      if (i % n == 0) before = -1;
      const int64_t place = PlaceOf(row, i), col = i / n * m + place;
      if (place <= before || place >= m) {
        fail(fmt::format("value {} has place {} after {} in its group of {}, expected places that ascend", i, place,
                         before, m));
      }
      before = place;
      if (col >= cols_ && !IsZero(values, row * values_ + i)) {
        fail(fmt::format("value {} is not 0, but lies in column {} of {}", i, col, cols_));
      }
    }
    const int64_t used = values_ * bits_ % 8;
    if (used != 0 && positions_[(row + 1) * row_bytes_ - 1] >> used != 0) {
      fail("bits are set after its last position");
    }
  }
}

}  // namespace twofour::sparse
