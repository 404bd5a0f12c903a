#include "twofour/sparse/row_packed_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/convert_element.h"
#include "twofour/core/error.h"
#include "twofour/core/half.h"
#include "twofour/core/huge_pages.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr const char* kName = "RowPackedWeight";

const MaskFormat& CheckedPattern(const MaskFormat& pattern) {
  const bool sound = pattern.kind == MaskFormat::Kind::kRows && pattern.n >= 1 && pattern.n <= pattern.m &&
                     pattern.m <= RowPackedWeight::kMostNeighbours;
  if (sound) return pattern;
  throw Error(fmt::format("{}: pattern {}, expected n:m along rows with m up to {}", kName, pattern.ToString(),
                          RowPackedWeight::kMostNeighbours));
}

bool IsTwoOfFourAlongRows(const MaskFormat& pattern) { return pattern.n == 2 && pattern.m == 4; }

int64_t PaddedCols(int64_t cols, const MaskFormat& pattern) {
  const int64_t block = IsTwoOfFourAlongRows(pattern) ? kPackedRowsBlock : pattern.m;
  return CeilDiv(cols, block) * block;
}

/// Calls `use` with a zero of the type of values.
template <typename Use>
void WithType(DType values, const Use& use) {
  if (values == DType::kF32) {
    use(float{});
  } else {
    use(BFloat16{});
  }
}

/// Calls `found(row, group, kept columns)` for each group of neighbours.
template <typename Found>
void ForEachGroup(const Mask& mask, int m, int64_t row, const Found& found) {
  std::vector<int64_t> kept;
  for (int64_t begin = 0; begin < mask.cols(); begin += m) {
    kept.clear();
    for (int64_t col = begin; col < std::min(begin + m, mask.cols()); ++col) {
      if (mask.view().Keeps(row, col)) kept.push_back(col);
    }
    found(begin / m, kept);
  }
}

/// Gives the places of a group that hold no kept value positions that no other place has, so that each may be written
/// without looking.
template <typename Set>
void FillUp(int64_t begin, const std::vector<int64_t>& kept, int64_t n, const Set& set) {
  int position = 0;
  for (int64_t which = std::ssize(kept); which < n; ++which, ++position) {
    while (std::ranges::find(kept, begin + position) != kept.end()) ++position;
    set(which, position);
  }
}

}  // namespace

bool FitsRows(const Mask& mask, const MaskFormat& pattern) {
  bool fits = true;
  for (int64_t row = 0; row < mask.rows() && fits; ++row) {
    ForEachGroup(mask, pattern.m, row,
                 [&](int64_t, const std::vector<int64_t>& kept) { fits = fits && std::ssize(kept) <= pattern.n; });
  }
  return fits;
}

RowPackedWeight::RowPackedWeight(int64_t rows, int64_t cols, const MaskFormat& pattern, DType values)
    : UnpackingWeight(kName, rows, cols, PaddedCols(cols, CheckedPattern(pattern)), pattern, values),
      values_(IsTwoOfFourAlongRows(pattern) ? 0 : rows * groups() * pattern.n * static_cast<int64_t>(SizeOf(values))),
      positions_(IsTwoOfFourAlongRows(pattern) ? 0 : rows * groups() * pattern.n) {
  if (IsTwoOfFourAlongRows(pattern)) {
    two_of_four_.emplace(rows, groups(), values);
  } else if (values_.bytes() > 0) {
    PreferHugePages(values_.data(), values_.bytes());
    PreferHugePages(positions_.data(), positions_.bytes());
    std::memset(values_.data(), 0, values_.bytes());
  }
}

RowPackedWeight::RowPackedWeight(const Tensor& weight, const Mask& mask, const MaskFormat& pattern, DType values)
    : RowPackedWeight(mask.rows(), mask.cols(), pattern, values) {
  ops::RequireDType(kName, "weight", weight, DType::kF32);
  if (weight.shape() != Shape{rows(), cols()}) {
    throw Error(fmt::format("{}: weight {}, expected the mask's shape [{}, {}]", kName, ToString(weight.shape()),
                            rows(), cols()));
  }
  const float* const from = weight.data<float>();
  WithType(values, [&](auto zero) {
    using T = decltype(zero);
    ParallelFor(rows(), RowGrain(cols()), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        ForEachGroup(mask, pattern.m, row, [&](int64_t group, const std::vector<int64_t>& kept) {
          if (std::ssize(kept) > pattern.n) {
            throw Error(fmt::format("{}: row {} keeps {} of columns {} to {}, expected at most {}", kName, row,
                                    kept.size(), group * pattern.m, (group + 1) * pattern.m - 1, pattern.n));
          }
          FillUp(group * pattern.m, kept, pattern.n,
                 [&](int64_t which, int position) { Set(row, group, which, T(0.0F), position); });
          for (size_t i = 0; i < kept.size(); ++i) {
            Set(row, group, static_cast<int64_t>(i), ConvertElement<T>(from[row * cols() + kept[i]]),
                static_cast<int>(kept[i] - group * pattern.m));
          }
        });
      }
    });
  });
}

RowPackedWeight::RowPackedWeight(const PackedGroups& packed, DType values, const std::string& name)
    : RowPackedWeight(packed, GroupsReader(packed, name), values) {}

RowPackedWeight::RowPackedWeight(const PackedGroups& packed, const GroupsReader& reader, DType values)
    : RowPackedWeight(reader.rows(), reader.cols(),
                      MaskFormat::Rows(static_cast<int>(reader.pattern().n), static_cast<int>(reader.pattern().m)),
                      values) {
  if (reader.cols() == 0) return;  // It may nevertheless have very many rows.
  const Tensor stored = packed.values.To(values);
  const int64_t n = pattern().n, count = reader.values();
  WithType(values, [&](auto zero) {
    const auto* const from = stored.data<decltype(zero)>();
    ParallelFor(rows(), RowGrain(cols()), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < count; ++i) {
          Set(row, i / n, i % n, from[row * count + i], static_cast<int>(reader.PlaceOf(row, i)));
        }
      }
    });
  });
}

size_t RowPackedWeight::bytes() const {
  return two_of_four_ ? two_of_four_->bytes() : values_.bytes() + positions_.bytes();
}

int64_t RowPackedWeight::PlaceOf(int64_t row, int64_t group, int64_t which) const {
  return (row * groups() + group) * pattern().n + which;
}

/// Once for each place; rows share no bytes.
template <typename T>
void RowPackedWeight::Set(int64_t row, int64_t group, int64_t which, T value, int position) {
  if (two_of_four_) return two_of_four_->Set(row, group, which, value, position);
  const int64_t place = PlaceOf(row, group, which);
  reinterpret_cast<T*>(values_.data())[place] = value;
  positions_.data()[place] = static_cast<uint8_t>(position);
}

template <typename From, typename T>
void RowPackedWeight::UnpackGroupsOf(int64_t row, T* to) const {
  std::fill_n(to, padded_cols(), T(0.0F));
  const From* const from = reinterpret_cast<const From*>(values_.data());
  for (int64_t group = 0; group < groups(); ++group) {
    for (int64_t which = 0; which < pattern().n; ++which) {
      const int64_t place = PlaceOf(row, group, which);
      to[group * pattern().m + positions_.data()[place]] = ConvertElement<T>(from[place]);
    }
  }
}

void RowPackedWeight::UnpackRow(int64_t row, float* to) const {
  if (two_of_four_) return two_of_four_->UnpackRow(row, to);
  WithType(dtype(), [&](auto zero) { UnpackGroupsOf<decltype(zero)>(row, to); });
}

void RowPackedWeight::UnpackRow(int64_t row, BFloat16* to) const {
  if (two_of_four_) return two_of_four_->UnpackRow(row, to);
  WithType(dtype(), [&](auto zero) { UnpackGroupsOf<decltype(zero)>(row, to); });
}

template <typename T>
void RowPackedWeight::MultiplyGroups(int64_t batch, const float* x, const float* bias, float* y) const {
  const int64_t cols = padded_cols(), count = groups(), n = pattern().n, m = pattern().m;
  const T* const values = reinterpret_cast<const T*>(values_.data());
  ParallelFor(rows(), RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t b = 0; b < batch; ++b) {
        float sum = 0;
        for (int64_t group = 0; group < count; ++group) {
          const float* const neighbours = x + b * cols + group * m;
          for (int64_t which = 0; which < n; ++which) {
            const int64_t place = PlaceOf(row, group, which);
            sum += static_cast<float>(values[place]) * neighbours[positions_.data()[place]];
          }
        }
        y[b * rows() + row] = bias == nullptr ? sum : sum + bias[row];
      }
    }
  });
}

void RowPackedWeight::MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const {
  if (two_of_four_) return two_of_four_->Multiply(batch, x, bias, y);
  WithType(dtype(), [&](auto zero) { MultiplyGroups<decltype(zero)>(batch, x, bias, y); });
}

}  // namespace twofour::sparse
