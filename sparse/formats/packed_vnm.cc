#include "twofour/sparse/formats/packed_vnm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <span>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/sparse/formats/stored_groups.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_columns.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kStored = 2;  // Values of a row's group.
constexpr int64_t kFour = VnmPattern::kColumns;

/// "rows 64 to 127, columns 8 to 15"
std::string BlockOf(const VnmReader& reader, int64_t row_block, int64_t group) {
  const int64_t v = reader.pattern().v, m = reader.pattern().m;
  return fmt::format("rows {} to {}, columns {} to {}", row_block * v, std::min((row_block + 1) * v, reader.rows()) - 1,
                     group * m, std::min((group + 1) * m, reader.cols()) - 1);
}

/// The columns that blocks keep, as offsets in their groups. Offsets of columns beyond the last one follow it.
Tensor OffsetsOf(const VnmColumns& columns) {
  Tensor offsets = Tensor::Empty({columns.row_blocks(), columns.groups(), kFour}, DType::kU8);
  uint8_t* to = offsets.mutable_data<uint8_t>();
  for (int64_t row_block = 0; row_block < columns.row_blocks(); ++row_block) {
    for (int64_t group = 0; group < columns.groups(); ++group, to += kFour) {
      const VnmColumns::Four& four = columns.at(row_block, group);
      for (int64_t i = 0; i < kFour; ++i) {
        // A group with fewer than four columns keeps all of them.
        to[i] = static_cast<uint8_t>(four[i] == VnmColumns::kNone ? i : four[i] - group * columns.m());
      }
    }
  }
  return offsets;
}

}  // namespace

PackedVnm PackVnm(const Tensor& weight, const VnmPattern& pattern, const std::string& name) {
  RequireStorable(pattern, name);
  RequireStorable(weight, name);
  const int64_t rows = weight.dim(0), cols = weight.dim(1), groups = CeilDiv(cols, int64_t{pattern.m});
  const Mask nonzeros = Mask::FromTensor(weight.To(DType::kBool));
  VnmPattern along_rows = pattern;
  along_rows.inner = VnmInner::kRows;
  if (const auto violation = FindVnmViolation(nonzeros.view(), along_rows)) {
    throw Error(fmt::format("{}: is not {}:{}:{}: {}", name, pattern.v, pattern.n, pattern.m, *violation));
  }
  const VnmColumns columns = VnmColumns::Of(nonzeros.view(), pattern);
  PackedVnm packed{.values = Tensor::Zeros({rows, kStored * groups}, weight.dtype()),
                   .positions = Tensor::Zeros({rows, CeilDiv(groups, int64_t{2})}, DType::kU8),
                   .columns = OffsetsOf(columns),
                   .pattern = Tensor::FromVector<int64_t>({rows, cols, pattern.v, pattern.n, pattern.m}, {5})};
  if (weight.numel() == 0) return packed;  // It may nevertheless have very many rows.
  const auto size = static_cast<int64_t>(SizeOf(weight.dtype()));
  std::byte* to = packed.values.mutable_raw();
  for (int64_t row = 0; row < rows; ++row) {
    uint8_t* const bytes = packed.positions.mutable_data<uint8_t>() + row * packed.positions.dim(1);
    for (int64_t group = 0; group < groups; ++group) {
      const VnmColumns::Four& four = columns.at(row / pattern.v, group);
      uint32_t kept = 0;
      for (int64_t i = 0; i < kFour; ++i) {
        if (four[i] != VnmColumns::kNone && nonzeros.view().Keeps(row, four[i])) kept |= uint32_t{1} << i;
      }
      kept = FilledUp(kept, kStored);
      int shift = static_cast<int>(group % 2 * 4);
      for (uint32_t i = 0; i < kFour; ++i) {
        if ((kept >> i & 1) == 0) continue;
        bytes[group / 2] = static_cast<uint8_t>(bytes[group / 2] | i << shift);
        shift += 2;
        if (four[i] != VnmColumns::kNone) {
          std::memcpy(to, weight.raw() + (row * cols + four[i]) * size, static_cast<size_t>(size));
        }
        to += size;
      }
    }
  }
  return packed;
}

Tensor UnpackVnm(const PackedVnm& packed, const std::string& name) {
  const VnmReader reader(packed, name);
  Tensor weight = Tensor::Zeros({reader.rows(), reader.cols()}, packed.values.dtype());
  if (weight.numel() == 0) return weight;
  const auto size = static_cast<int64_t>(SizeOf(weight.dtype()));
  std::byte* const to = weight.mutable_raw();
  const std::byte* from = packed.values.raw();
  for (int64_t row = 0; row < reader.rows(); ++row) {
    for (int64_t group = 0; group < reader.groups(); ++group) {
      for (int64_t which = 0; which < kStored; ++which, from += size) {
        const int64_t col = reader.ColumnAt(row / reader.pattern().v, group, reader.PositionAt(row, group, which));
        if (col < reader.cols()) std::memcpy(to + (row * reader.cols() + col) * size, from, static_cast<size_t>(size));
      }
    }
  }
  return weight;
}

VnmReader::VnmReader(const PackedVnm& packed, const std::string& name, StoredValues kind) {
  const auto fail = [&name](const std::string& what) { throw Error(fmt::format("{}: {}", name, what)); };
  const auto& [values, positions, columns, numbers] = packed;
  if (!numbers.defined() || numbers.dtype() != DType::kI64 || numbers.shape() != Shape{5}) {
    fail(fmt::format("pattern is {}, expected i64 [5]: rows, columns, V, N, M", Describe(numbers)));
  }
  const int64_t* const given = numbers.data<int64_t>();
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto is_number = [](int64_t number) { return number >= 0 && number <= kMost; };
  if (!std::all_of(given, given + 5, is_number)) {
    fail(fmt::format("shape and pattern {}, expected numbers from 0 to {}", fmt::join(std::span(given, 5), ", "),
                     kMost));
  }
  rows_ = given[0];
  cols_ = given[1];
  pattern_ = {.v = static_cast<int>(given[2]),
              .n = static_cast<int>(given[3]),
              .m = static_cast<int>(given[4]),
              .inner = VnmInner::kRows};
  RequireStorable(pattern_, name);
  groups_ = CeilDiv(cols_, int64_t{pattern_.m});
  row_blocks_ = CeilDiv(rows_, int64_t{pattern_.v});
  row_bytes_ = CeilDiv(groups_, int64_t{2});
  RequireValues(values, kind, {rows_, kStored * groups_}, name);
  const auto require_bytes = [&](const char* what, const Tensor& part, const Shape& shape) {
    if (part.defined() && part.dtype() == DType::kU8 && part.shape() == shape) return;
    fail(fmt::format("{} are {}, expected {}", what, Describe(part), Describe(DType::kU8, shape)));
  };
  require_bytes("positions", positions, {rows_, row_bytes_});
  require_bytes("columns", columns, {row_blocks_, groups_, kFour});
  if (rows_ == 0 || cols_ == 0) return;  // It may nevertheless have very many rows.
  positions_ = positions.data<uint8_t>();
  columns_ = columns.data<uint8_t>();
  RequireColumnsInBlocks(name);
  RequirePositions(values, name);
}

void VnmReader::RequireColumnsInBlocks(const std::string& name) const {
  const uint8_t* four = columns_;
  for (int64_t row_block = 0; row_block < row_blocks_; ++row_block) {
    for (int64_t group = 0; group < groups_; ++group, four += kFour) {
      if (std::adjacent_find(four, four + kFour, std::greater_equal<>()) == four + kFour && four[3] < pattern_.m) {
        continue;
      }
      throw Error(fmt::format("{}: {}: keeps columns {} of the block, expected four that ascend from 0 to {}", name,
                              BlockOf(*this, row_block, group), fmt::join(std::span(four, kFour), ", "),
                              pattern_.m - 1));
    }
  }
}

void VnmReader::RequirePositions(const Tensor& values, const std::string& name) const {
  for (int64_t row = 0; row < rows_; ++row) {
    const auto fail = [&](const std::string& what) { throw Error(fmt::format("{}: row {}: {}", name, row, what)); };
    for (int64_t group = 0; group < groups_; ++group) {
      const int first = PositionAt(row, group, 0), second = PositionAt(row, group, 1);
      if (first < second) continue;
      fail(fmt::format("columns {} to {}: positions {} and {}, expected two that ascend", group * pattern_.m,
                       std::min((group + 1) * pattern_.m, cols_) - 1, first, second));
    }
    for (int64_t which = 0; which < kStored; ++which) {
      const int64_t col = ColumnAt(row / pattern_.v, groups_ - 1, PositionAt(row, groups_ - 1, which));
      const int64_t value = kStored * (groups_ - 1) + which;
      if (col < cols_ || IsZero(values, row * kStored * groups_ + value)) continue;
      fail(fmt::format("value {} is not 0, but lies in column {} of {}", value, col, cols_));
    }
    if (groups_ % 2 != 0 && positions_[(row + 1) * row_bytes_ - 1] >> 4 != 0) {
      fail("bits are set after its last position");
    }
  }
}

}  // namespace twofour::sparse
