#include "twofour/sparse/prune/sparsegpt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/dampened_gram.h"

namespace twofour::sparse {
namespace {

/// Columns of a part of a block, whose errors the rest of the block makes up for at once, by a product.
constexpr int64_t kPart = 32;
/// Columns whose errors the rest of a part makes up for at once, so that they share one pass over it.
constexpr int64_t kTogether = 8;

/// Columns whose mask is found at once.
int64_t GroupWidth(const PruningPattern& pattern, int64_t block) {
  const MaskFormat& format = pattern.format;
  if (format.kind == MaskFormat::Kind::kUnstructured) return block;
  return format.kind == MaskFormat::Kind::kBlocks ? format.block_cols : format.m;
}

class Pruning {
 public:
  Pruning(const Tensor& weight, const DampenedGram& gram, const SparseGptOptions& options, std::string_view name)
      : options_(options),
        name_(name),
        rows_(weight.dim(0)),
        cols_(weight.dim(1)),
        group_(GroupWidth(options.pattern, options.block)),
        block_(RoundUp(options.block, group_)),
        weight_(weight.Clone()),
        factor_(gram.inverse_factor.To(DType::kF32)),
        errors_(Tensor::Empty({rows_, std::min(block_, cols_)})),
        kept_(Tensor::Zeros({rows_, cols_}, DType::kBool)),
        w_(weight_.mutable_data<float>()),
        u_(factor_.data<float>()) {
    for (int64_t col = 0; col < cols_; ++col) {
      if (!gram.dead[static_cast<size_t>(col)]) continue;
      for (int64_t row = 0; row < rows_; ++row) w_[row * cols_ + col] = 0;
    }
  }

  PrunedWeight Run() {
    for (int64_t begin = 0; begin < cols_; begin += block_) RunBlock(begin, std::min(begin + block_, cols_));
    return {.weight = weight_, .mask = Mask::FromTensor(kept_)};
  }

 private:
  void RunBlock(int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end;) {
      const int64_t behind = std::min(EndOfPart(part - begin) + begin, end);
      for (int64_t col = part; col < behind;) {
        const int64_t in_group = (col - begin) % group_;
        if (in_group == 0) ChooseMask(col, std::min(col + group_, end));
        const int64_t stop = std::min({col + kTogether, col + group_ - in_group, behind});
        PruneColumns(col, stop, begin, behind);
        col = stop;
      }
      Compensate(part, behind, begin, end);
      part = behind;
    }
    Compensate(begin, end, begin, cols_);
  }

  /// Where a part of a block ends that begins `part` columns behind the block. Parts are whole groups, or groups are
  /// whole parts and a rest: a mask needs all that was made up for before its first column.
  int64_t EndOfPart(int64_t part) const {
    if (group_ <= kPart) return part + kPart / group_ * group_;
    return std::min(part + kPart, RoundUp(part + 1, group_));
  }

  /// Lets columns [end, last) make up for the errors of columns [begin, end) of the block that begins at `first`.
  void Compensate(int64_t begin, int64_t end, int64_t first, int64_t last) {
    if (end == last) return;
    kernels::GemmProblem<float> update;
    update.m = rows_;
    update.n = last - end;
    update.k = end - begin;
    update.a = errors_.data<float>() + begin - first;
    update.lda = errors_.dim(1);
    update.b = u_ + begin * cols_ + end;
    update.ldb = cols_;
    update.c = w_ + end;
    update.ldc = cols_;
    update.accumulate = true;
    Gemm(update);
  }

  /// The mask of columns [begin, end), by what each weight's loss would cost.
  void ChooseMask(int64_t begin, int64_t end) {
    const int64_t width = end - begin;
    Tensor scores = Tensor::Empty({rows_, width});
    float* const to = scores.mutable_data<float>();
    ParallelFor(rows_, RowGrain(width), [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        for (int64_t col = begin; col < end; ++col) {
          const float root = w_[row * cols_ + col] / u_[col * cols_ + col];
          to[row * width + col - begin] = root * root;
        }
      }
    });
    const Tensor mask = FindMaskOf(scores, options_.pattern, name_, options_.columns).ToTensor();
    const bool* const from = mask.data<bool>();
    bool* const kept = kept_.mutable_data<bool>();
    for (int64_t row = 0; row < rows_; ++row) std::copy_n(from + row * width, width, kept + row * cols_ + begin);
  }

  /// Prunes columns [begin, end) of the block that begins at `first`, and lets those up to `last` make up for them.
  /// Errors are stored with their sign turned, so that they can be added.
  void PruneColumns(int64_t begin, int64_t end, int64_t first, int64_t last) {
    const bool* const kept = kept_.data<bool>();
    float* const errors = errors_.mutable_data<float>();
    const int64_t pitch = errors_.dim(1), count = end - begin;
    ParallelFor(rows_, RowGrain(last - begin), [&](int64_t top, int64_t bottom) {
      for (int64_t row = top; row < bottom; ++row) {
        float* const w = w_ + row * cols_;
        std::array<float, kTogether> lost = {};
        for (int64_t j = 0; j < count; ++j) {
          const int64_t col = begin + j;
          if (kept[row * cols_ + col]) continue;
          lost[static_cast<size_t>(j)] = -w[col] / u_[col * cols_ + col];
          w[col] = 0;
          for (int64_t k = col + 1; k < end; ++k) w[k] += lost[static_cast<size_t>(j)] * u_[col * cols_ + k];
        }
        std::copy_n(lost.begin(), count, errors + row * pitch + begin - first);
        if (count == kTogether) {
          AddErrors<kTogether>(lost.data(), begin, end, last, w);
        } else {
          for (int64_t j = 0; j < count; ++j) AddErrors<1>(lost.data() + j, begin + j, end, last, w);
        }
      }
    });
  }

  /// w[k] += the sum of lost[j] U[col + j][k] over j, for k in [begin, end).
  template <int kCount>
  void AddErrors(const float* lost, int64_t col, int64_t begin, int64_t end, float* w) const {
    const float* const u = u_ + col * cols_;
    for (int64_t k = begin; k < end; ++k) {
      float sum = w[k];
      for (int j = 0; j < kCount; ++j) sum += lost[j] * u[j * cols_ + k];
      w[k] = sum;
    }
  }

  const SparseGptOptions& options_;
  std::string_view name_;
  int64_t rows_, cols_, group_, block_;
  Tensor weight_, factor_, errors_, kept_;
  float* w_;
  const float* u_;
};

}  // namespace

void Check(const SparseGptOptions& options, const FieldPath& at, Faults& faults) {
  Check(options.pattern, at.In("pattern"), faults);
  faults.Expect(options.pattern.scope != PruningScope::kModel, at("pattern"), options.pattern.ToString(),
                "a scope within one weight, because SparseGPT prunes weights one after another");
  faults.AtLeast(at("dampening"), options.dampening, 0);
  faults.InRange(at("block"), options.block, 1, kMaxFeatures);
}

PrunedWeight SparseGpt(const Tensor& weight, const Tensor& gram, const SparseGptOptions& options,
                       std::string_view name) {
  Checked(options, "SparseGpt: ");
  ops::RequireDType("SparseGpt", name, weight, DType::kF32);
  if (weight.rank() != 2 || gram.shape() != Shape{weight.dim(1), weight.dim(1)}) {
    throw Error(fmt::format("{}: a weight of shape {} and a Gram matrix of shape {}, expected [out, in] and [in, in]",
                            name, ToString(weight.shape()), ToString(gram.shape())));
  }
  RequireFinite(weight, name);
  DampenedGram factored = FactorDampened(gram, options.dampening, name);
  PrunedWeight pruned = Pruning(weight, factored, options, name).Run();
  pruned.notes = std::move(factored.notes);
  return pruned;
}

}  // namespace twofour::sparse
