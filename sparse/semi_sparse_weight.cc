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

SemiSparseWeight::SemiSparseWeight(const Tensor& weight, Mask mask, std::shared_ptr<LinearPlanner> planner)
    : weight_(weight), mask_(std::move(mask)), format_(mask_.format()), planner_(std::move(planner)) {
  if (weight.shape() != Shape{mask_.rows(), mask_.cols()}) {
    throw Error(fmt::format("2:4 weight: shape {} and a mask of shape [{}, {}]", ToString(weight.shape()), mask_.rows(),
                            mask_.cols()));
  }
  if (planner_ == nullptr) planner_ = std::make_shared<LinearPlanner>(out_features(), in_features());
}

const PackedWeight& SemiSparseWeight::Packed(const LinearKernel& kernel, Direction direction) const {
  const LinearProblem problem = {out_features(), in_features(), 0, direction, format_};
  if (const Verdict verdict = Check(kernel, problem); !verdict.can()) {
    throw Error(fmt::format("2:4 weight: {} cannot take it: {}", kernel.name, InWords(verdict, kernel, problem)));
  }
  const Tensor& weight = weight_.Get();  // A write since then is an error, also where what is packed is older.
  const std::lock_guard lock(packing_);
  std::unique_ptr<PackedWeight>& packed = packed_[{&kernel, kernel.one_packing ? Direction::kForward : direction}];
  if (packed == nullptr) packed = kernel.pack(weight.data<float>(), mask_.view(), direction);
  return *packed;
}

Tensor SemiSparseWeight::Multiply(Direction direction, const Tensor& in, const Epilogue& epilogue) const {
  Tensor out = EmptyWithLastDim(in, direction == Direction::kForward ? out_features() : in_features());
  const LinearKernel& kernel = *planner_->For(direction, in.rows(), format_).kernel;
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
