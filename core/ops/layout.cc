#include "twofour/core/ops/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/swap_axes.h"
#include "twofour/core/ops/check.h"

namespace twofour {
inline namespace ops {
namespace {

/// `shape` with the true size in place of a -1.
Shape InferSize(const Tensor& x, Shape shape) {
  const Shape asked = shape;
  const auto inferred = std::find(shape.begin(), shape.end(), -1);
  const bool infer = inferred != shape.end();
  if (infer) *inferred = 1;
  const bool valid = std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; });
  const int64_t rest = valid ? NumElements(shape) : 0;
  if (infer && rest > 0) *inferred = x.numel() / rest;
  if (!valid || (infer && rest == 0) || NumElements(shape) != x.numel()) {
    throw Error(
        fmt::format("Reshape: x has shape {}, which cannot become {}: expected {} elements, at most one size -1",
                    ToString(x.shape()), ToString(asked), x.numel()));
  }
  return shape;
}

Tensor Swapped(const Tensor& x, size_t first_axis, size_t second_axis) {
  if (first_axis == second_axis) return x.Clone();
  const size_t low = std::min(first_axis, second_axis), high = std::max(first_axis, second_axis);
  Shape shape = x.shape();
  std::swap(shape[low], shape[high]);
  Tensor y = Tensor::Empty(shape, x.dtype());
  const AroundAxis one(x.shape(), low), other(x.shape(), high);
  const int64_t middle = NumElements(Shape(x.shape().begin() + low + 1, x.shape().begin() + high));
  kernels::SwapAxes(static_cast<int64_t>(SizeOf(x.dtype())), one.outer, one.size, middle, other.size, other.inner,
                    x.raw(), y.mutable_raw());
  return y;
}

/// The indices [begin, begin + count) of an axis of `x`.
Tensor Taken(const Tensor& x, size_t axis, int64_t begin, int64_t count) {
  Shape shape = x.shape();
  shape[axis] = count;
  Tensor part = Tensor::Empty(shape, x.dtype());
  const AroundAxis around(x.shape(), axis);
  const int64_t bytes = around.inner * static_cast<int64_t>(SizeOf(x.dtype()));
  kernels::CopyRuns(around.outer, count * bytes, x.raw() + begin * bytes, around.size * bytes, part.mutable_raw(),
                    count * bytes);
  return part;
}

/// Writes `part` to the indices of `x` from `begin` on.
void Put(const Tensor& part, size_t axis, int64_t begin, Tensor& x) {
  const AroundAxis around(x.shape(), axis);
  const int64_t bytes = around.inner * static_cast<int64_t>(SizeOf(x.dtype())), run = part.shape()[axis] * bytes;
  kernels::CopyRuns(around.outer, run, part.raw(), run, x.mutable_raw() + begin * bytes, around.size * bytes);
}

}  // namespace

Tensor Reshape(const Tensor& x, Shape shape) {
  ops::RequireDefined("Reshape", "x", x);
  Tensor out = x.View(InferSize(x, std::move(shape)));
  autograd::Record("Reshape", {x}, out,
                   [from = x.shape()](const Tensor& dy) { return std::vector<Tensor>{dy.View(from)}; });
  return out;
}

Tensor Transpose(const Tensor& x, int first_axis, int second_axis) {
  ops::RequireDefined("Transpose", "x", x);
  const size_t first = ops::RequireAxis("Transpose", "x", x, first_axis);
  const size_t second = ops::RequireAxis("Transpose", "x", x, second_axis);
  Tensor out = Swapped(x, first, second);
  autograd::Record("Transpose", {x}, out,
                   [first, second](const Tensor& dy) { return std::vector<Tensor>{Swapped(dy, first, second)}; });
  return out;
}

Tensor Concat(const std::vector<Tensor>& tensors, int axis) {
  if (tensors.empty()) throw Error("Concat: got no tensors, expected at least one");
  ops::RequireDefined("Concat", "tensors[0]", tensors[0]);
  const size_t at = ops::RequireAxis("Concat", "tensors[0]", tensors[0], axis);
  Shape shape = tensors[0].shape();
  for (size_t i = 1; i < tensors.size(); ++i) {
    const std::string name = fmt::format("tensors[{}]", i);
    ops::RequireDefined("Concat", name, tensors[i]);
    // Compared with the first tensor, but for the size along the axis.
    Shape expected = tensors[0].shape();
    if (at < tensors[i].shape().size()) expected[at] = tensors[i].shape()[at];
    ops::RequireLike("Concat", name, tensors[i], tensors[0], expected);
    shape[at] += expected[at];
  }
  NumElements(shape);  // Throws where the sum of the sizes is too large.
  Tensor out = Tensor::Empty(shape, tensors[0].dtype());
  std::vector<int64_t> begins;
  int64_t begin = 0;
  for (const Tensor& tensor : tensors) {
    Put(tensor, at, begin, out);
    begins.push_back(begin);
    begin += tensor.shape()[at];
  }
  begins.push_back(begin);
  if (!IsFloating(out.dtype())) return out;
  autograd::Record("Concat", tensors, out, [at, begins](const Tensor& dy) {
    std::vector<Tensor> grads;
    for (size_t i = 0; i + 1 < begins.size(); ++i) grads.push_back(Taken(dy, at, begins[i], begins[i + 1] - begins[i]));
    return grads;
  });
  return out;
}

Tensor Slice(const Tensor& x, int axis, int64_t begin, int64_t end) {
  ops::RequireDefined("Slice", "x", x);
  const size_t at = ops::RequireAxis("Slice", "x", x, axis);
  const int64_t size = x.shape()[at], first = begin < 0 ? begin + size : begin, last = end < 0 ? end + size : end;
  if (first < 0 || last < first || last > size) {
    throw Error(fmt::format("Slice: [{}, {}) is no range of dimension {} of x, which has shape {}", begin, end, axis,
                            ToString(x.shape())));
  }
  Tensor out = Taken(x, at, first, last - first);
  autograd::Record("Slice", {x}, out, [at, first = first, full = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::Zeros(full, dy.dtype());
    Put(dy, at, first, dx);
    return std::vector<Tensor>{dx};
  });
  return out;
}

}  // namespace ops
}  // namespace twofour
