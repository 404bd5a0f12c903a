#include "twofour/sparse/semi_sparse_weight.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "twofour/core/error.h"

namespace twofour::sparse {
namespace {

Tensor EmptyWithLastDim(const Tensor& like, int64_t last) {
  Shape shape = like.shape();
  shape.back() = last;
  return Tensor::Empty(std::move(shape));
}

}  // namespace

SemiSparseWeight::SemiSparseWeight(const Tensor& weight, Mask mask)
    : weight_(weight), mask_(std::move(mask)), two_of_four_(!mask_.FirstTileAboveTwoOfFour()) {
  if (weight.shape() != Shape{mask_.rows(), mask_.cols()}) {
    throw Error(fmt::format("2:4 weight: shape {} and a mask of shape [{}, {}]", ToString(weight.shape()), mask_.rows(),
                            mask_.cols()));
  }
}

const PackedWeight& SemiSparseWeight::Packed(const LinearKernel& kernel, Direction direction) const {
  const std::string why_not = kernel.why_not({out_features(), in_features(), 0, direction, two_of_four_});
  if (!why_not.empty()) throw Error(fmt::format("2:4 weight: {} cannot take it: {}", kernel.name, why_not));
  const Tensor& weight = weight_.Get();  // A write since then is an error, also where what is packed is older.
  const std::lock_guard lock(packing_);
  std::unique_ptr<PackedWeight>& packed = packed_[{&kernel, kernel.one_packing ? Direction::kForward : direction}];
  if (packed == nullptr) packed = kernel.pack(weight.data<float>(), mask_, direction);
  return *packed;
}

Tensor SemiSparseWeight::Multiply(Direction direction, const Tensor& in, const Epilogue& epilogue) const {
  Tensor out = EmptyWithLastDim(in, direction == Direction::kForward ? out_features() : in_features());
  const LinearKernel& kernel =
      *ChooseLinearKernel({out_features(), in_features(), in.rows(), direction, two_of_four_}).kernel;
  kernel.multiply(Packed(kernel, direction), direction, in.rows(), in.data<float>(), epilogue,
                  out.mutable_data<float>());
  return out;
}

Tensor SemiSparseWeight::Forward(const Tensor& x, const Epilogue& epilogue) const {
  return Multiply(Direction::kForward, x, epilogue);
}

Tensor SemiSparseWeight::InputGrad(const Tensor& dy) const { return Multiply(Direction::kInputGrad, dy, {}); }

size_t SemiSparseWeight::packed_bytes() const {
  const std::lock_guard lock(packing_);
  size_t bytes = 0;
  for (const auto& [kernel, packed] : packed_) bytes += packed->bytes();
  return bytes;
}

}  // namespace twofour::sparse
