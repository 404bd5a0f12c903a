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
    : inputs_(std::move(inputs)), labels_(std::move(labels)), num_classes_(num_classes) {
  if (!inputs_.defined() || inputs_.dtype() != DType::kF32 || inputs_.rank() != 2) {
    throw Error(fmt::format("dataset: inputs are {}, expected f32 [samples, features]", Describe(inputs_)));
  }
  if (!labels_.defined() || labels_.dtype() != DType::kI32 || labels_.shape() != Shape{inputs_.dim(0)}) {
    throw Error(fmt::format("dataset: labels are {}, expected i32 [{}]", Describe(labels_), inputs_.dim(0)));
  }
  const int32_t* label = labels_.data<int32_t>();
  for (int64_t i = 0; i < labels_.numel(); ++i) {
    if (label[i] < 0 || label[i] >= num_classes) {
      throw Error(fmt::format("dataset: sample {} has label {}, expected 0 to {}", i, label[i], num_classes - 1));
    }
  }
}

Batch InMemoryDataset::Get(std::span<const int64_t> indices) const {
  for (int64_t index : indices) {
    if (index < 0 || index >= size()) {
      throw Error(fmt::format("dataset: no sample {}, there are {}", index, size()));
    }
  }
  const auto count = static_cast<int64_t>(indices.size());
  const int64_t cols = features();
  Batch batch{Tensor::Empty({count, cols}), Tensor::Empty({count}, DType::kI32)};
  const float* source = inputs_.data<float>();
  const int32_t* label = labels_.data<int32_t>();
  float* row = batch.inputs.mutable_data<float>();
  int32_t* target = batch.targets.mutable_data<int32_t>();
  ParallelFor(count, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(source + indices[i] * cols, cols, row + i * cols);
      target[i] = label[indices[i]];
    }
  });
  return batch;
}

std::vector<int64_t> InMemoryDataset::ClassCounts() const {
  std::vector<int64_t> counts(static_cast<size_t>(num_classes_));
  CountInto(labels_, counts);
  return counts;
}

}  // namespace twofour::train
