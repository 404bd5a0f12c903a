#include "twofour/train/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour::train {
namespace {

void CountInto(const Tensor& labels, std::vector<int64_t>& counts) {
  ops::RequireDType("dataset", "targets", labels, DType::kI32);
  const int32_t* label = labels.data<int32_t>();
  for (int64_t i = 0; i < labels.numel(); ++i) ++counts[static_cast<size_t>(label[i])];
}

void RequireInputs(const Tensor& inputs) {
  if (inputs.defined() && inputs.dtype() == DType::kF32 && inputs.rank() == 2) return;
  throw Error(fmt::format("dataset: inputs are {}, expected f32 [samples, features]", Describe(inputs)));
}

/// The rows at `indices`. A tensor of rank 1 has rows of one element.
template <typename T>
Tensor TakeRows(const Tensor& from, std::span<const int64_t> indices) {
  const auto count = static_cast<int64_t>(indices.size());
  Shape shape = from.shape();
  shape[0] = count;
  Tensor taken = Tensor::Empty(shape, from.dtype());
  const int64_t cols = from.rank() == 1 ? 1 : from.dim(1);
  const T* const source = from.data<T>();
  T* const to = taken.mutable_data<T>();
  ParallelFor(count, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(source + indices[static_cast<size_t>(i)] * cols, cols, to + i * cols);
    }
  });
  return taken;
}

}  // namespace

std::vector<int64_t> Dataset::ClassCounts() const {
  constexpr int64_t kBatch = 256;
  std::vector<int64_t> counts(static_cast<size_t>(num_classes()));
  for (int64_t begin = 0; begin < size(); begin += kBatch) {
    std::vector<int64_t> indices(static_cast<size_t>(std::min(kBatch, size() - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    CountInto(Get(indices).targets, counts);
  }
  return counts;
}

InMemoryDataset::InMemoryDataset(Tensor inputs, Tensor labels, int64_t num_classes)
    : inputs_(std::move(inputs)), targets_(std::move(labels)), num_classes_(num_classes) {
  RequireInputs(inputs_);
  if (!targets_.defined() || targets_.dtype() != DType::kI32 || targets_.shape() != Shape{inputs_.dim(0)}) {
    throw Error(fmt::format("dataset: labels are {}, expected i32 [{}]", Describe(targets_), inputs_.dim(0)));
  }
  const int32_t* label = targets_.data<int32_t>();
  for (int64_t i = 0; i < targets_.numel(); ++i) {
    if (label[i] < 0 || label[i] >= num_classes) {
      throw Error(fmt::format("dataset: sample {} has label {}, expected 0 to {}", i, label[i], num_classes - 1));
    }
  }
}

InMemoryDataset::InMemoryDataset(Tensor inputs, Tensor targets)
    : inputs_(std::move(inputs)), targets_(std::move(targets)) {
  RequireInputs(inputs_);
  if (!targets_.defined() || targets_.dtype() != DType::kF32 || targets_.rank() != 2 ||
      targets_.dim(0) != inputs_.dim(0)) {
    throw Error(fmt::format("dataset: targets are {}, expected f32 [{}, outputs]", Describe(targets_), inputs_.dim(0)));
  }
}

Batch InMemoryDataset::Get(std::span<const int64_t> indices) const {
  for (int64_t index : indices) {
    if (index < 0 || index >= size()) {
      throw Error(fmt::format("dataset: no sample {}, there are {}", index, size()));
    }
  }
  return {TakeRows<float>(inputs_, indices),
          num_classes_ > 0 ? TakeRows<int32_t>(targets_, indices) : TakeRows<float>(targets_, indices)};
}

std::vector<int64_t> InMemoryDataset::ClassCounts() const {
  std::vector<int64_t> counts(static_cast<size_t>(num_classes_));
  CountInto(targets_, counts);
  return counts;
}

}  // namespace twofour::train
