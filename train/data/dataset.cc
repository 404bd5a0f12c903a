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

Batch GetBatch(const Dataset& data, std::span<const int64_t> indices) {
  Batch batch = data.Get(indices);
  const auto samples = static_cast<int64_t>(indices.size());
  const auto require = [](const char* what, const Tensor& tensor, DType dtype, const Shape& shape) {
    if (tensor.defined() && tensor.dtype() == dtype && tensor.shape() == shape) return;
    throw Error(
        fmt::format("data set: a batch has {} {}, expected {}", what, Describe(tensor), Describe(dtype, shape)));
  };
  require("inputs", batch.inputs, DType::kF32, {samples, data.features()});
  if (data.num_classes() == 0) {
    require("targets", batch.targets, DType::kF32, {samples, data.outputs()});
    return batch;
  }
  require("targets", batch.targets, DType::kI32, {samples});
  const int32_t* const labels = batch.targets.data<int32_t>();
  for (int64_t i = 0; i < samples; ++i) {
    if (labels[i] >= 0 && labels[i] < data.num_classes()) continue;
    throw Error(fmt::format("data set: the label of sample {} is {}, expected 0 to {}", indices[static_cast<size_t>(i)],
                            labels[i], data.num_classes() - 1));
  }
  return batch;
}

void RequireAlike(const Dataset& train_data, const Dataset& eval_data) {
  const auto require = [](const char* what, int64_t training, int64_t evaluation, bool equal) {
    if (training >= 1 && evaluation >= 1 && (!equal || training == evaluation)) return;
    throw Error(fmt::format("data sets: {} {} to train on and {} to evaluate on, expected at least 1{}", training, what,
                            evaluation, equal ? ", and as many in both" : ""));
  };
  require("samples", train_data.size(), eval_data.size(), false);
  require("features", train_data.features(), eval_data.features(), true);
  require("outputs", train_data.outputs(), eval_data.outputs(), true);
}

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
