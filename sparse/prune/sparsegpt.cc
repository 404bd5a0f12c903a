#include "twofour/sparse/prune/sparsegpt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/budget_mask.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/kernels/prune/column_errors.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/dampened_gram.h"
#include "twofour/sparse/prune/require_layer.h"

namespace twofour::sparse {
namespace {

/// Columns of a part of a block, whose errors the rest of the block makes up for at once, by a product.
constexpr int64_t kPart = 32;
/// Columns whose errors the rest of a part makes up for at once, so that they share one pass over it.
constexpr int64_t kTogether = kMostErrors;
/// Rows of a part that are pruned at a time, column by column: they lie in the second-level cache.
constexpr int64_t kMostRows = 256;
/// Elements from one column of them to the next: more, so that the columns spread over the sets of the cache.
constexpr int64_t kPitch = kMostRows + kColumnRoom;

/// The blocks that a budget is spent on: single entries for unstructured masks.
BlockSize BlocksOf(const PruningPattern& pattern) {
  const MaskFormat& format = pattern.format;
  if (format.kind == MaskFormat::Kind::kUnstructured) return {};
  return {.rows = format.block_rows, .cols = format.block_cols};
}

/// Columns whose mask is found at once. Of blocks that are whole block columns: a single one may have few blocks, and
/// then a choice within it would be coarse.
int64_t GroupWidth(const PruningPattern& pattern, int64_t block) {
  return pattern.has_budget() ? RoundUp(block, BlocksOf(pattern).cols) : pattern.format.m;
}

/// Rows whose masks do not depend on others, as many as kMostRows has room for; 0 if the masks of all rows depend on
/// each other.
int64_t RowsOfChunk(const PruningPattern& pattern) {
  if (pattern.has_budget()) return 0;
  return pattern.format.is_vnm() ? kMostRows / pattern.format.v * pattern.format.v : kMostRows;
}

/// U in float, times the power of two that brings the largest entry of its diagonal to 1 or just above. Masks and
/// weights are the same to the bit, and a float holds U whatever the unit of the inputs is.
Tensor ScaledFactor(const Tensor& u) {
  const int64_t n = u.dim(0);
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, u.data<double>()[i * n + i]);
  Tensor scaled = u.Clone();
  double* const data = scaled.mutable_data<double>();
  const double factor = std::ldexp(1.0, -std::ilogb(largest));
  for (int64_t i = 0; i < n * n; ++i) data[i] *= factor;
  return scaled.To(DType::kF32);
}

/// What the weights of each column are divided by for the roots of their scores: the diagonal of U, here `factor`,
/// times a power of two. Scores order masks as if there were none, to the bit, but are far from the limits of a float:
/// the root of the largest is near 2^20, so that squares can grow by what is made up for, and many can be added up.
std::vector<float> Divisors(const Tensor& weight, const Tensor& factor) {
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  std::vector<float> most(static_cast<size_t>(cols)), diagonal;
  for (int64_t row = 0; row < rows; ++row) {
    const float* const w = weight.data<float>() + row * cols;
    for (size_t col = 0; col < most.size(); ++col) most[col] = std::max(most[col], std::fabs(w[col]));
  }
  double largest = 0;
  for (int64_t col = 0; col < cols; ++col) {
    diagonal.push_back(factor.data<float>()[col * cols + col]);
    largest = std::max(largest, double{most[static_cast<size_t>(col)]} / double{diagonal.back()});
  }
  // Divisors of weights that are all tiny must not become 0.
  const int exponent = largest > 0 ? std::max(std::ilogb(largest) - 20, -90) : 0;
  for (float& entry : diagonal) entry = std::ldexp(entry, exponent);
  return diagonal;
}

/// values[col][row] = matrix[row][col], where rows of the matrix are `stride` elements apart.
template <typename From, typename To>
void LoadColumns(const From* matrix, int64_t stride, int64_t rows, int64_t cols, To* values) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) values[col * kPitch + row] = static_cast<To>(matrix[row * stride + col]);
  }
}
/// The other way round.
template <typename From, typename To>
void StoreColumns(const From* values, int64_t rows, int64_t cols, To* matrix, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) matrix[row * stride + col] = static_cast<To>(values[col * kPitch + row]);
  }
}

/// Some rows of a part of a weight, column by column.
struct Chunk {
  std::array<float, kPart * kPitch> weights, errors;
  std::array<uint8_t, kPart * kPitch> kept;

  float* weight(int64_t col) { return &weights[static_cast<size_t>(col * kPitch)]; }
  float* error(int64_t col) { return &errors[static_cast<size_t>(col * kPitch)]; }
  uint8_t* keeps(int64_t col) { return &kept[static_cast<size_t>(col * kPitch)]; }
};

class Pruning {
 public:
  Pruning(const Tensor& weight, const DampenedGram& gram, const SparseGptOptions& options, std::string_view name)
      : options_(options),
        name_(name),
        rows_(weight.dim(0)),
        cols_(weight.dim(1)),
        group_(GroupWidth(options.pattern, options.block)),
        block_(std::min(RoundUp(options.block, group_), cols_)),
        weight_(weight.Clone()),
        factor_(ScaledFactor(gram.inverse_factor)),
        divisors_(Divisors(weight, factor_)),
        errors_(Tensor::Empty({rows_, block_})),
        kept_(Tensor::Zeros({rows_, cols_}, DType::kBool)),
        w_(weight_.mutable_data<float>()),
        errors_data_(errors_.mutable_data<float>()),
        u_(factor_.data<float>()),
        kept_data_(kept_.mutable_data<bool>()) {
    for (int64_t col = 0; col < cols_; ++col) {
      if (!gram.dead[static_cast<size_t>(col)]) continue;
      for (int64_t row = 0; row < rows_; ++row) w_[row * cols_ + col] = 0;
    }
  }

  PrunedWeight Run() {
    for (int64_t begin = 0; begin < cols_; begin += block_) RunBlock(begin, std::min(begin + block_, cols_));
    RequireHeld(weight_, name_);
    return {.weight = weight_, .mask = Mask::FromTensor(kept_)};
  }

 private:
  void RunBlock(int64_t begin, int64_t end) {
    const int64_t of_chunk = RowsOfChunk(options_.pattern), chunk_rows = of_chunk > 0 ? of_chunk : kMostRows;
    for (int64_t part = begin; part < end;) {
      const int64_t behind = std::min(EndOfPart(part - begin) + begin, end);
      if (of_chunk == 0) ChooseMaskOfAllRows(part, begin, end);
      ParallelFor(CeilDiv(rows_, chunk_rows), 1, [&](int64_t first, int64_t last) {
        for (int64_t chunk = first; chunk < last; ++chunk) {
          const int64_t top = chunk * chunk_rows;
          PrunePart(part, behind, begin, top, std::min(top + chunk_rows, rows_), of_chunk > 0);
        }
      });
      Compensate(part, behind, begin, end);
      part = behind;
    }
    Compensate(begin, end, begin, cols_);
  }

  /// Where a part of a block ends that begins `part` columns behind the block. Parts are whole groups, or groups are
  /// whole parts and a rest: a mask needs all that was made up for before its first column.
  int64_t EndOfPart(int64_t part) const {
    if (group_ <= kPart) return part + (options_.pattern.has_budget() ? group_ : kPart / group_ * group_);
    return std::min(part + kPart, RoundUp(part + 1, group_));
  }

  /// Lets columns [end, last) make up for the errors of columns [begin, end) of the block that begins at `first`.
  void Compensate(int64_t begin, int64_t end, int64_t first, int64_t last) {
    if (end == last) return;
    kernels::GemmProblem<float> update;
    update.m = rows_;
    update.n = last - end;
    update.k = end - begin;
    update.a = errors_data_ + begin - first;
    update.lda = block_;
    update.b = u_ + begin * cols_ + end;
    update.ldb = cols_;
    update.c = w_ + end;
    update.ldc = cols_;
    update.accumulate = true;
    Gemm(update);
  }

  /// The mask of the group that begins at `begin` in the block [first, last), if one does.
  void ChooseMaskOfAllRows(int64_t begin, int64_t first, int64_t last) {
    if ((begin - first) % group_ != 0) return;
    const int64_t width = std::min(begin + group_, last) - begin;
    Tensor scores = Tensor::Empty({rows_, width});
    float* const to = scores.mutable_data<float>();
    ParallelFor(rows_, RowGrain(width), [&](int64_t top, int64_t bottom) {
      for (int64_t row = top; row < bottom; ++row) {
        for (int64_t col = 0; col < width; ++col) {
          to[row * width + col] = Score(w_[row * cols_ + begin + col], begin + col);
        }
      }
    });
    RequireFiniteScores(scores, begin);
    const Tensor mask = FindMaskInBudget(scores, begin).ToTensor();
    const bool* const from = mask.data<bool>();
    bool* const kept = kept_data_ + begin;
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t col = 0; col < width; ++col) kept[row * cols_ + col] = from[row * width + col];
    }
  }

  float Score(float weight, int64_t col) const {
    const float root = weight / divisors_[static_cast<size_t>(col)];
    return root * root;
  }

  /// `begin` is the first column.
  void RequireFiniteScores(const Tensor& scores, int64_t begin) const {
    const int64_t at = kernels::FindNonFinite(scores.numel(), scores.data<float>());
    if (at < 0) return;
    throw Error(fmt::format("{}: scores of column {} are more than a 32-bit float can hold, expected smaller weights",
                            name_, begin + at % scores.dim(1)),
                ErrorKind::kRuntimeFailure);
  }

  /// The mask of scores of all rows and of the columns from `begin` on. As many go as are due by its last column, so
  /// what one group loses by rounding is the next one's to spend, and the whole weight gets its share.
  Mask FindMaskInBudget(const Tensor& scores, int64_t begin) {
    const PruningPattern& pattern = options_.pattern;
    const BlockSize block = BlocksOf(pattern);
    const bool by_row = pattern.scope == PruningScope::kRow;
    const int64_t down = by_row ? 1 : CeilDiv(rows_, block.rows);
    const auto count_to = [&](int64_t end) { return down * CeilDiv(end, block.cols); };
    const int64_t end = begin + scores.dim(1), due = CountDropped(pattern.sparsity, count_to(end)) - dropped_;
    const int64_t dropped = std::min(due, count_to(end) - count_to(begin));
    dropped_ += dropped;
    return by_row ? FindRowBudgetMaskOfCount(scores, dropped, name_)
                  : FindBudgetMaskOfCount(scores, block, dropped, name_);
  }

  /// The mask of scores [rows, width] as a bool tensor with as many elements.
  Tensor FindMask(const Tensor& scores) const {
    const int64_t rows = scores.dim(0), width = scores.dim(1);
    const MaskFormat& format = options_.pattern.format;
    // Groups along rows do not depend on each other, and a search takes long rows faster than short ones.
    const bool groups = format.kind == MaskFormat::Kind::kRows && width == format.m && rows % kTileSize == 0;
    const Tensor seen = groups ? scores.View({kTileSize, rows / kTileSize * width}) : scores;
    return FindMaskOf(seen, options_.pattern, name_, options_.columns).ToTensor();
  }

  /// Prunes columns [begin, end) of rows [top, bottom) in the block that begins at `first`; with `finds_masks`, finds
  /// the masks of the groups in it.
  void PrunePart(int64_t begin, int64_t end, int64_t first, int64_t top, int64_t bottom, bool finds_masks) {
    thread_local const auto chunk = std::make_unique<Chunk>();
    const int64_t rows = bottom - top, width = end - begin, at = top * cols_ + begin;
    float* const errors = errors_data_ + top * block_ + begin - first;
    LoadColumns(w_ + at, cols_, rows, width, chunk->weights.data());
    if (!finds_masks) LoadColumns(kept_data_ + at, cols_, rows, width, chunk->kept.data());
    for (int64_t col = 0; col < width;) {
      const int64_t in_group = (begin + col - first) % group_;
      if (finds_masks && in_group == 0) FindMaskOfGroup(begin, col, std::min(group_, width - col), rows, *chunk);
      const int64_t stop = std::min({col + kTogether, col + group_ - in_group, width});
      for (int64_t c = col; c < stop; ++c) {
        const float* const u = u_ + (begin + c) * cols_ + begin;
        DropOfColumn(rows, -1 / u[c], chunk->keeps(c), chunk->weight(c), chunk->error(c));
        for (int64_t to = c + 1; to < stop; ++to)
          AddErrors(rows, 1, u + to, chunk->error(c), kPitch, chunk->weight(to));
      }
      for (int64_t to = stop; to < width; ++to) {
        std::array<float, kTogether> factors = {};
        for (int64_t c = col; c < stop; ++c)
          factors[static_cast<size_t>(c - col)] = u_[(begin + c) * cols_ + begin + to];
        AddErrors(rows, static_cast<int>(stop - col), factors.data(), chunk->error(col), kPitch, chunk->weight(to));
      }
      col = stop;
    }
    StoreColumns(chunk->weights.data(), rows, width, w_ + at, cols_);
    StoreColumns(chunk->errors.data(), rows, width, errors, block_);
    if (finds_masks) StoreColumns(chunk->kept.data(), rows, width, kept_data_ + at, cols_);
  }

  void FindMaskOfGroup(int64_t begin, int64_t col, int64_t width, int64_t rows, Chunk& chunk) const {
    Tensor scores = Tensor::Empty({rows, width});
    float* const to = scores.mutable_data<float>();
    for (int64_t c = 0; c < width; ++c) {
      const float* const w = chunk.weight(col + c);
      for (int64_t row = 0; row < rows; ++row) to[row * width + c] = Score(w[row], begin + col + c);
    }
    RequireFiniteScores(scores, begin + col);
    const Tensor mask = FindMask(scores);
    LoadColumns(mask.data<bool>(), width, rows, width, chunk.keeps(col));
  }

  const SparseGptOptions& options_;
  std::string_view name_;
  int64_t rows_, cols_, group_, block_;
  int64_t dropped_ = 0;  // Of a budget, so far: blocks, or entries of each row.
  Tensor weight_, factor_;
  std::vector<float> divisors_;
  Tensor errors_, kept_;
  float *w_, *errors_data_;
  const float* u_;
  bool* kept_data_;
};

}  // namespace

void Check(const SparseGptOptions& options, const FieldPath& at, Faults& faults) {
  CheckByGram("SparseGPT", options.pattern, options.dampening, at, faults);
  faults.InRange(at("block"), options.block, 1, kMaxFeatures);
}

PrunedWeight SparseGpt(const Tensor& weight, const Tensor& gram, const SparseGptOptions& options,
                       std::string_view name) {
  Checked(options, "SparseGpt: ");
  RequireLayer("SparseGpt", name, weight, gram);
  RequireFinite(weight, name);
  DampenedGram factored = FactorDampened(gram, options.dampening, name);
  PrunedWeight pruned = Pruning(weight, factored, options, name).Run();
  pruned.notes = std::move(factored.notes);
  return pruned;
}

}  // namespace twofour::sparse
