#include "twofour/core/ops/embedding.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/convert_loops.h"
#include "twofour/core/kernels/elements/elementwise_loops.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour {
inline namespace ops {
namespace {

template <typename T>
void CopyRow(int64_t n, const T* from, T* to) {
  std::copy_n(from, n, to);
}

void CopyRow(int64_t n, const float* from, BFloat16* to) { kernels::loops::Convert(n, from, to); }

void AddRowTo(int64_t n, const double* row, double* sums) {
  for (int64_t i = 0; i < n; ++i) sums[i] += row[i];
}

template <typename T>
void AddRowTo(int64_t n, const T* row, float* sums) {
  kernels::loops::AddTo(n, row, sums);
}

Tensor Gather(const Tensor& indices, const Tensor& weight, Shape shape, DType dtype) {
  Tensor out = Tensor::Empty(std::move(shape), dtype);
  DispatchF32F64OrBF16(dtype, "Embedding", [&](auto zero) {
    using T = decltype(zero);
    using W = ComputeType<T>;
    const int64_t features = weight.dim(1);
    const int32_t* index = indices.data<int32_t>();
    const W* rows = weight.data<W>();
    T* result = out.mutable_data<T>();
    ParallelFor(indices.numel(), RowGrain(features), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) CopyRow(features, rows + index[i] * features, result + i * features);
    });
  });
  return out;
}

Tensor ScatterAdd(const Tensor& indices, const Tensor& dy, int64_t entries, int64_t features) {
  Tensor dweight = Tensor::Zeros({entries, features}, ComputeDType(dy.dtype()));
  DispatchF32F64OrBF16(dy.dtype(), "Embedding", [&](auto zero) {
    using T = decltype(zero);
    using W = ComputeType<T>;
    const int32_t* index = indices.data<int32_t>();
    const T* grad = dy.data<T>();
    W* result = dweight.mutable_data<W>();
    const int64_t count = indices.numel();
    // Threads own columns, so that one thread adds the rows of equal indices in their order.
    ParallelFor(features, RowGrain(count), [=](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < count; ++i) {
        AddRowTo(end - begin, grad + i * features + begin, result + index[i] * features + begin);
      }
    });
  });
  return dweight;
}

}  // namespace

Tensor Embedding(const Tensor& indices, const Tensor& weight, std::optional<DType> dtype) {
  ops::RequireDType("Embedding", "indices", indices, DType::kI32);
  ops::RequireF32OrF64("Embedding", "weight", weight);
  if (weight.rank() != 2) {
    throw Error(fmt::format("Embedding: weight has shape {}, expected [entries, features]", ToString(weight.shape())));
  }
  if (dtype && !GoesWith(*dtype, weight.dtype())) {
    throw Error(fmt::format("Embedding: dtype {} for a weight of {}, expected {}", NameOf(*dtype),
                            NameOf(weight.dtype()), weight.dtype() == DType::kF32 ? "f32, f16 or bf16" : "f64"));
  }
  if (dtype == DType::kF16) return Cast(Embedding(indices, weight), DType::kF16);
  const int64_t entries = weight.dim(0), features = weight.dim(1);
  for (int64_t i = 0; i < indices.numel(); ++i) {
    const int32_t index = indices.data<int32_t>()[i];
    if (index < 0 || index >= entries) {
      throw Error(fmt::format("Embedding: index {} at position {} is outside [0, {})", index, i, entries));
    }
  }
  Shape shape = indices.shape();
  shape.push_back(features);
  Tensor out = Gather(indices, weight, std::move(shape), dtype.value_or(weight.dtype()));
  autograd::Record("Embedding", {weight}, out,
                   [saved = autograd::SavedTensor(indices), entries, features](const Tensor& dy) {
                     return std::vector<Tensor>{ScatterAdd(saved.Get(), dy, entries, features)};
                   });
  return out;
}

}  // namespace ops
}  // namespace twofour
