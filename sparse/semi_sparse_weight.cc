#include "twofour/sparse/semi_sparse_weight.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour::sparse {
namespace {

Tensor EmptyWithLastDim(const Tensor& like, int64_t last) {
  Shape shape = like.shape();
  shape.back() = last;
  return Tensor::Empty(std::move(shape));
}

}  // namespace

SemiSparseWeight::SemiSparseWeight(const Tensor& weight, Mask mask) : weight_(weight), mask_(std::move(mask)) {
  if (weight.shape() != Shape{mask_.rows(), mask_.cols()}) {
    throw Error(fmt::format("2:4 weight: shape {} and a mask of shape [{}, {}]", ToString(weight.shape()), mask_.rows(),
                            mask_.cols()));
  }
}

const PackedWeight& SemiSparseWeight::Packed(const LinearKernel& kernel) const {
  std::unique_ptr<PackedWeight>& packed = packed_[&kernel];
  if (packed == nullptr) packed = kernel.pack(weight_.Get().data<float>(), mask_);
  return *packed;
}

Tensor SemiSparseWeight::Forward(const Tensor& x) const {
  Tensor y = EmptyWithLastDim(x, out_features());
  const LinearKernel& kernel = *ChooseLinearKernel({out_features(), in_features(), x.rows()}).kernel;
  kernel.forward(Packed(kernel), x.rows(), x.data<float>(), y.mutable_data<float>());
  return y;
}

Tensor SemiSparseWeight::InputGrad(const Tensor& dy) const {
  Tensor dx = EmptyWithLastDim(dy, in_features());
  const LinearKernel& kernel = *ChooseLinearKernel({out_features(), in_features(), dy.rows()}).kernel;
  kernel.input_grad(Packed(kernel), dy.rows(), dy.data<float>(), dx.mutable_data<float>());
  return dx;
}

size_t SemiSparseWeight::packed_bytes() const {
  size_t bytes = 0;
  for (const auto& [kernel, packed] : packed_) bytes += packed->bytes();
  return bytes;
}

}  // namespace twofour::sparse
