// The reference for all other kernels. It multiplies with the kept weights only, one multiply-add after the other.
#include <algorithm>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"

namespace twofour::sparse {
namespace {

/// The kept entries of a [rows, cols] matrix, row by row, columns ascending.
struct KeptRows {
  int64_t cols = 0;
  std::vector<int64_t> row_begin;  // [rows + 1]
  std::vector<int32_t> col;
  std::vector<float> value;
};

struct KeptEntries final : public PackedWeight {
  static constexpr PackedLayout kLayout = PackedLayout::kKeptEntries;
  KeptEntries() : PackedWeight(kLayout, Isa::kAny) {}

  KeptRows kept;  // The kept entries of the weight or of its transpose.
  size_t bytes() const override {
    return kept.value.size() * (sizeof(float) + sizeof(int32_t)) + kept.row_begin.size() * sizeof(int64_t);
  }
};

/// Collects kept entries. `keeps(r, c)` and `at(r, c)` read the matrix.
template <typename Keeps, typename At>
KeptRows Collect(int64_t rows, int64_t cols, Keeps keeps, At at) {
  KeptRows kept;
  kept.cols = cols;
  kept.row_begin.push_back(0);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      if (!keeps(r, c)) continue;
      kept.col.push_back(static_cast<int32_t>(c));
      kept.value.push_back(at(r, c));
    }
    kept.row_begin.push_back(static_cast<int64_t>(kept.col.size()));
  }
  return kept;
}

std::unique_ptr<PackedWeight> Pack(const float* weight, const MaskView& mask, Direction direction) {
  auto packed = std::make_unique<KeptEntries>();
  const int64_t rows = mask.rows, cols = mask.cols;
  if (direction == Direction::kForward) {
    packed->kept = Collect(
        rows, cols, [&](int64_t r, int64_t c) { return mask.Keeps(r, c); },
        [&](int64_t r, int64_t c) { return weight[r * cols + c]; });
  } else {
    packed->kept = Collect(
        cols, rows, [&](int64_t r, int64_t c) { return mask.Keeps(c, r); },
        [&](int64_t r, int64_t c) { return weight[c * cols + r]; });
  }
  return packed;
}

float Finish(float value, const Epilogue& epilogue, int64_t col) {
  if (epilogue.bias != nullptr) value += epilogue.bias[col];
  if (!epilogue.relu_squared) return value;
  const float positive = value < 0 ? 0.0f : value;
  return positive * positive;
}

void Multiply(const PackedWeight& packed, Direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const KeptRows& matrix = PackedAs<KeptEntries>(packed, Isa::kAny).kept;
  const int64_t rows = static_cast<int64_t>(matrix.row_begin.size()) - 1;
  ParallelFor(batch, RowGrain(static_cast<int64_t>(matrix.value.size())), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t r = 0; r < rows; ++r) {
        float sum = 0;
        for (int64_t i = matrix.row_begin[r]; i < matrix.row_begin[r + 1]; ++i) {
          sum += matrix.value[i] * in[b * matrix.cols + matrix.col[i]];
        }
        out[b * rows + r] = Finish(sum, epilogue, r);
      }
    }
  });
}

}  // namespace

LinearKernel ScalarReferenceKernel() {
  return {.name = "scalar_reference",
          .family = "scalar_reference",
          .isa = Isa::kAny,
          .tiling = "one output at a time",
          .layout = PackedLayout::kKeptEntries,
          .one_packing = false,
          .check = CheckNothing,
          .pack = Pack,
          .multiply = MultiplyAs<float, Multiply>};
}

}  // namespace twofour::sparse
