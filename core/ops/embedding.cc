#include "twofour/core/ops/embedding.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour {
inline namespace ops {
namespace {

Tensor Gather(const Tensor& indices, const Tensor& weight, Shape shape) {
  Tensor out = Tensor::Empty(std::move(shape), weight.dtype());
  DispatchF32OrF64(weight.dtype(), "Embedding", [&](auto zero) {
    using T = decltype(zero);
    const int64_t features = weight.dim(1);
    const int32_t* index = indices.data<int32_t>();
    const T* rows = weight.data<T>();
    T* result = out.mutable_data<T>();
    ParallelFor(indices.numel(), RowGrain(features), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) std::copy_n(rows + index[i] * features, features, result + i * features);
    });
  });
  return out;
}

Tensor ScatterAdd(const Tensor& indices, const Tensor& dy, int64_t entries, int64_t features) {
  Tensor dweight = Tensor::Zeros({entries, features}, dy.dtype());
  DispatchF32OrF64(dy.dtype(), "Embedding", [&](auto zero) {
    using T = decltype(zero);
    const int32_t* index = indices.data<int32_t>();
    const T* grad = dy.data<T>();
    T* result = dweight.mutable_data<T>();
    const int64_t count = indices.numel();
    // Threads own columns, so that one thread adds the rows of equal indices in their order.
    ParallelFor(features, RowGrain(count), [=](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t c = begin; c < end; ++c) result[index[i] * features + c] += grad[i * features + c];
      }
    });
  });
  return dweight;
}

}  // namespace

Tensor Embedding(const Tensor& indices, const Tensor& weight) {
  ops::RequireDType("Embedding", "indices", indices, DType::kI32);
  ops::RequireF32OrF64("Embedding", "weight", weight);
  if (weight.rank() != 2) {
    throw Error(fmt::format("Embedding: weight has shape {}, expected [entries, features]", ToString(weight.shape())));
  }
  const int64_t entries = weight.dim(0), features = weight.dim(1);
  for (int64_t i = 0; i < indices.numel(); ++i) {
    const int32_t index = indices.data<int32_t>()[i];
    if (index < 0 || index >= entries) {
      throw Error(fmt::format("Embedding: index {} at position {} is outside [0, {})", index, i, entries));
    }
  }
  Shape shape = indices.shape();
  shape.push_back(features);
  Tensor out = Gather(indices, weight, std::move(shape));
  autograd::Record("Embedding", {weight}, out,
                   [saved = autograd::SavedTensor(indices), entries, features](const Tensor& dy) {
                     return std::vector<Tensor>{ScatterAdd(saved.Get(), dy, entries, features)};
                   });
  return out;
}

}  // namespace ops
}  // namespace twofour
