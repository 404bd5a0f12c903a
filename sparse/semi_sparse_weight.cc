#include "twofour/sparse/semi_sparse_weight.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {
namespace {

/// A tensor of the shape and dtype of `like`, but with `last` as its last dimension.
Tensor EmptyWithLastDim(const Tensor& like, int64_t last) {
  Shape shape = like.shape();
  shape.back() = last;
  return Tensor::Empty(std::move(shape), like.dtype());
}

void RequireActivation(const char* function, const char* name, const Tensor& tensor, int64_t features) {
  if (tensor.defined() && GoesWith(tensor.dtype(), DType::kF32) && tensor.rank() > 0 && tensor.cols() == features) {
    return;
  }
  throw Error(
      fmt::format("{}: {} {}, expected f32, f16 or bf16 [..., {}]", function, name, Describe(tensor), features));
}

}  // namespace

SemiSparseWeight::SemiSparseWeight(const Tensor& weight, Mask mask, std::shared_ptr<LinearPlanner> planner,
                                   std::optional<MaskFormat> format)
    : weight_(weight),
      mask_(std::move(mask)),
      format_(format ? *format : mask_.format()),
      planner_(std::move(planner)) {
  ops::RequireDType("2:4 weight", "weight", weight, DType::kF32);
  if (weight.shape() != Shape{mask_.rows(), mask_.cols()}) {
    throw Error(fmt::format("2:4 weight: shape {} and a mask of shape [{}, {}]", ToString(weight.shape()), mask_.rows(),
                            mask_.cols()));
  }
  if (planner_ == nullptr) planner_ = std::make_shared<LinearPlanner>(out_features(), in_features());
}

const PackedWeight& SemiSparseWeight::Packed(const LinearKernel& kernel, Direction direction) const {
  const DType activation = kernel.activation;
  const LinearProblem problem = {.out_features = out_features(),
                                 .in_features = in_features(),
                                 .direction = direction,
                                 .format = format_,
                                 .input = activation,
                                 .output = activation};
  if (const Verdict verdict = Check(kernel, problem); !verdict.can()) {
    throw Error(fmt::format("2:4 weight: {} cannot take it: {}", kernel.name, InWords(verdict, kernel, problem)));
  }
  const Tensor& weight = weight_.Get();  // Throws if the weight was written to since, even if its packed form is older.
  const std::lock_guard lock(packing_);
  std::unique_ptr<PackedWeight>& packed = packed_[{&kernel, kernel.one_packing ? Direction::kForward : direction}];
  if (packed == nullptr) {
    MaskView view = mask_.view();
    if (format_.is_vnm()) view.vnm = format_.vnm();
    packed = kernel.pack(weight.data<float>(), view, direction);
  }
  return *packed;
}

Tensor SemiSparseWeight::Multiply(Direction direction, const Tensor& in, const Epilogue& epilogue) const {
  const LinearPlan plan = planner_->For(direction, in.rows(), format_, in.dtype());
  const Tensor wide = plan.widened ? in.To(DType::kF32) : in;
  Tensor out = EmptyWithLastDim(wide, direction == Direction::kForward ? out_features() : in_features());
  plan.kernel->multiply(Packed(*plan.kernel, direction), direction, in.rows(), wide.raw(), epilogue, out.mutable_raw());
  return plan.widened ? out.To(in.dtype()) : out;
}

Tensor SemiSparseWeight::Forward(const Tensor& x, const Epilogue& epilogue) const {
  RequireActivation("SemiSparseWeight::Forward", "x", x, in_features());
  return Multiply(Direction::kForward, x, epilogue);
}

Tensor SemiSparseWeight::InputGrad(const Tensor& dy) const {
  RequireActivation("SemiSparseWeight::InputGrad", "dy", dy, out_features());
  return Multiply(Direction::kInputGrad, dy, {});
}

size_t SemiSparseWeight::packed_bytes() const {
  const std::lock_guard lock(packing_);
  size_t bytes = 0;
  for (const auto& [kernel, packed] : packed_) bytes += packed->bytes();
  return bytes;
}

}  // namespace twofour::sparse
