#include "twofour/core/ops/broadcast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"
#include "twofour/core/ops/layout.h"

namespace twofour {
inline namespace ops {
namespace {

/// The shape with ones in front, so that it has `rank` dimensions.
Shape Padded(const Shape& shape, size_t rank) {
  Shape padded(rank - shape.size(), 1);
  padded.insert(padded.end(), shape.begin(), shape.end());
  return padded;
}

/// `x` [outer, n, inner] summed over the middle, as [outer, inner] in the dtype that sums are computed in.
Tensor SummedOver(const Tensor& x, int64_t outer, int64_t n, int64_t inner) {
  Tensor sums = Tensor::Empty({outer, inner}, ComputeDType(x.dtype()));
  DispatchF32F64OrBF16(x.dtype(), "SumTo", [&](auto zero) {
    using T = decltype(zero);
    kernels::SumAxis<T>(outer, n, inner, 1.0, x.data<T>(), sums.mutable_data<ComputeType<T>>());
  });
  return sums;
}

}  // namespace

Shape BroadcastShape(std::string_view op, const Tensor& a, const Tensor& b) {
  const size_t rank = std::max(a.shape().size(), b.shape().size());
  const Shape sizes_a = Padded(a.shape(), rank), sizes_b = Padded(b.shape(), rank);
  Shape shape(rank);
  for (size_t axis = 0; axis < rank; ++axis) {
    shape[axis] = sizes_a[axis] == 1 ? sizes_b[axis] : sizes_a[axis];
    if (sizes_b[axis] != 1 && sizes_b[axis] != shape[axis]) {
      throw Error(
          fmt::format("{}: a has shape {} and b has shape {}, which do not go together: aligned at their last "
                      "dimensions, sizes must be equal or 1, and here are {} and {}",
                      op, ToString(a.shape()), ToString(b.shape()), sizes_a[axis], sizes_b[axis]));
    }
  }
  return shape;
}

Tensor Expand(const Tensor& x, const Shape& shape) {
  ops::RequireFloating("Expand", "x", x);
  if (x.shape() == shape) return Reshape(x, shape);
  if (x.dtype() == DType::kF16) return ops::InF32([&](const Tensor& wide) { return Expand(wide, shape); }, x);
  bool fits = x.shape().size() <= shape.size();
  if (fits) {
    const Shape sizes = Padded(x.shape(), shape.size());
    for (size_t axis = 0; axis < shape.size(); ++axis) fits &= sizes[axis] == 1 || sizes[axis] == shape[axis];
  }
  if (!fits) {
    throw Error(
        fmt::format("Expand: x has shape {}, which does not stretch to {}: aligned at their last dimensions, sizes "
                    "must be equal or 1",
                    ToString(x.shape()), ToString(shape)));
  }
  Tensor out = Tensor::Empty(shape, x.dtype());
  DispatchF32F64OrBF16(x.dtype(), "Expand", [&](auto zero) {
    using T = decltype(zero);
    kernels::Expand<T>(kernels::PlanBroadcast(shape, x.shape(), x.shape()), x.data<T>(), out.mutable_data<T>());
  });
  autograd::Record("Expand", {x}, out,
                   [from = x.shape()](const Tensor& dy) { return std::vector<Tensor>{SumTo(dy, from)}; });
  return out;
}

Tensor SumTo(const Tensor& grad, const Shape& shape) {
  if (grad.shape() == shape) return grad;
  const Shape sizes = Padded(shape, grad.shape().size());
  Shape left = grad.shape();
  Tensor sum = grad.dtype() == DType::kF16 ? grad.To(DType::kF32) : grad;
  for (size_t end = left.size(); end > 0;) {
    // Neighbouring dimensions [begin, end) that all grew are summed over at once.
    const auto grew = [&](size_t axis) { return sizes[axis] != left[axis]; };
    size_t begin = end - 1;
    if (!grew(begin)) {
      end = begin;
      continue;
    }
    while (begin > 0 && grew(begin - 1)) --begin;
    const auto elements = [&](size_t from, size_t to) {
      return NumElements(Shape(left.begin() + from, left.begin() + to));
    };
    sum = SummedOver(sum, elements(0, begin), elements(begin, end), elements(end, left.size()));
    std::fill(left.begin() + begin, left.begin() + end, 1);
    end = begin;
  }
  return sum.View(shape).To(grad.dtype());
}

}  // namespace ops
}  // namespace twofour
