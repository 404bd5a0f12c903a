#include "twofour/sparse/vnm_packed_weight.h"

#include <algorithm>

#include "twofour/core/ceil_div.h"
#include "twofour/core/half.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kStored = 2;  // Values of a row's group.

/// The columns that each block keeps, in the matrix with padding. [blocks of rows, groups, 4]
std::vector<uint32_t> ColumnsIn(const VnmReader& reader) {
  std::vector<uint32_t> columns;
  if (reader.groups() == 0) return columns;  // There may nevertheless be very many blocks.
  columns.reserve(static_cast<size_t>(reader.row_blocks() * reader.groups() * VnmPattern::kColumns));
  for (int64_t row_block = 0; row_block < reader.row_blocks(); ++row_block) {
    for (int64_t group = 0; group < reader.groups(); ++group) {
      for (int64_t i = 0; i < VnmPattern::kColumns; ++i) {
        columns.push_back(static_cast<uint32_t>(reader.ColumnAt(row_block, group, i)));
      }
    }
  }
  return columns;
}

}  // namespace

VnmPackedWeight::VnmPackedWeight(const PackedVnm& packed, DType values, const std::string& name)
    : VnmPackedWeight(packed, VnmReader(packed, name), values, name) {}

VnmPackedWeight::VnmPackedWeight(const PackedVnm& packed, const VnmReader& reader, DType values,
                                 const std::string& name)
    : UnpackingWeight(name.c_str(), reader.rows(), reader.cols(), reader.groups() * reader.pattern().m,
                      MaskFormat::Vnm(reader.pattern()), values),
      gathered_(reader.groups() * VnmPattern::kColumns),
      columns_(ColumnsIn(reader)),
      rows_(reader.rows(), reader.groups(), values) {
  if (reader.cols() == 0) return;  // It may nevertheless have very many rows.
  const Tensor stored = packed.values.To(values);
  const int64_t groups = reader.groups();
  const auto fill = [&](const auto* from) {
    ParallelFor(rows(), RowGrain(gathered_), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < kStored * groups; ++i) {
          const int64_t group = i / kStored, which = i % kStored;
          rows_.Set(row, group, which, from[row * kStored * groups + i], reader.PositionAt(row, group, which));
        }
      }
    });
  };
  if (values == DType::kF32) {
    fill(stored.data<float>());
  } else {
    fill(stored.data<BFloat16>());
  }
}

void VnmPackedWeight::MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const {
  constexpr int64_t kGrainBytes = 64 * 1024;  // Of the weight: what makes it worth while to wake another thread.
  const int64_t v = pattern().v, row_blocks = CeilDiv(rows(), v), stride = rows_.padded_cols();
  const int64_t block_bytes = static_cast<int64_t>(bytes()) / std::max<int64_t>(row_blocks, 1);
  ParallelFor(row_blocks, CeilDiv(kGrainBytes, block_bytes + 1), [&](int64_t begin, int64_t end) {
    std::vector<float> gathered(static_cast<size_t>(batch * stride));
    for (int64_t row_block = begin; row_block < end; ++row_block) {
      const uint32_t* const columns = ColumnsOf(row_block);
      for (int64_t b = 0; b < batch; ++b) {
        const float* const from = x + b * padded_cols();
        float* const to = gathered.data() + b * stride;
        for (int64_t i = 0; i < gathered_; ++i) to[i] = from[columns[i]];
      }
      rows_.MultiplyRows(row_block * v, std::min((row_block + 1) * v, rows()), batch, gathered.data(), bias, y);
    }
  });
}

template <typename T>
void VnmPackedWeight::ScatterRow(int64_t row, T* to) const {
  std::vector<T> gathered(static_cast<size_t>(rows_.padded_cols()));
  rows_.UnpackRow(row, gathered.data());
  std::fill_n(to, padded_cols(), T(0.0F));
  const uint32_t* const columns = ColumnsOf(row / pattern().v);
  for (int64_t i = 0; i < gathered_; ++i) to[columns[i]] = gathered[static_cast<size_t>(i)];
}

}  // namespace twofour::sparse
