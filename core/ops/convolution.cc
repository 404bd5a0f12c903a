#include "twofour/core/ops/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/gradient_sum.h"
#include "twofour/core/kernels/windows/unfold.h"
#include "twofour/core/ops/bias_grad.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/product.h"
#include "twofour/core/ops/window_options.h"
#include "twofour/core/parallel.h"

namespace twofour {
inline namespace ops {
namespace {

using autograd::SavedTensor;
using kernels::Transpose;
using kernels::WindowGrid;

/// Numbers under the windows of one part: few enough for a thread's cache, and enough rows for the products.
constexpr int64_t kPartSize = 1 << 17;
constexpr int64_t kMaxLanes = 16;

/// How many images make a part, unless there are fewer.
int64_t ImagesOfPart(const WindowGrid& grid) {
  const int64_t of_image = std::max<int64_t>(grid.height.out * grid.width.out * grid.window_size(), 1);
  return std::max<int64_t>(kPartSize / of_image, 1);
}

/// The images, divided into parts. All of this follows from shapes alone, so that the weight's gradient does not depend
/// on threads.
struct Parts {
  Parts(const WindowGrid& grid, int64_t weight_size) {
    step = ImagesOfPart(grid);
    count = CeilDiv(grid.images, step);
    // The lanes' gradients of the weight take at most as much memory as the images.
    const int64_t most = grid.pixels() * grid.channels / std::max<int64_t>(weight_size, 1);
    lanes = std::clamp<int64_t>(std::min(most, count), 1, kMaxLanes);
  }

  int64_t step = 1;  ///< Images of a part; the last one may have fewer.
  int64_t count = 0;
  /// Part i belongs to lane i % lanes. A lane adds up its parts' gradients one after another.
  int64_t lanes = 1;
};

/// Calls visit(i) for all i below `count`: on all threads, so that each has parts of its own in its cache and waits for
/// nobody, or, if there are too few for that, in turn, with the threads sharing the work of each.
template <typename Visit>
void ForEach(int64_t count, const Visit& visit) {
  const auto visit_range = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) visit(i);
  };
  if (2 * count < NumThreads()) return visit_range(0, count);
  ParallelFor(count, 1, visit_range);
}

WindowGrid PartOf(const WindowGrid& grid, int64_t count) {
  WindowGrid part = grid;
  part.images = count;
  return part;
}

/// Where an image begins in a tensor of images.
int64_t OffsetOf(const Tensor& images, int64_t first) {
  return first * (images.numel() / images.dim(0)) * static_cast<int64_t>(SizeOf(images.dtype()));
}

/// The windows of images [first, first + count): [windows, columns].
Tensor UnfoldPart(const WindowGrid& grid, const Tensor& x, int64_t first, int64_t count) {
  const WindowGrid part = PartOf(grid, count);
  Tensor windows = Tensor::Empty({part.windows(), grid.window_size()}, x.dtype());
  if (windows.numel() > 0) {
    kernels::Unfold(part, static_cast<int64_t>(SizeOf(x.dtype())), x.raw() + OffsetOf(x, first), windows.mutable_raw());
  }
  return windows;
}

/// Copies as many bytes as `part` has.
void CopyElements(const Tensor& part, const std::byte* from, std::byte* to) {
  std::copy_n(from, part.numel() * static_cast<int64_t>(SizeOf(part.dtype())), to);
}

/// Adds what windows hold up to `count` images, which begin at `images`.
void FoldPart(const WindowGrid& grid, const Tensor& windows, int64_t count, std::byte* images) {
  DispatchFloating(windows.dtype(), "Conv2d", [&](auto zero) {
    using T = decltype(zero);
    kernels::Fold<T>(PartOf(grid, count), windows.data<T>(), reinterpret_cast<T*>(images));
  });
}

}  // namespace

int64_t RowsOfConv2dProducts(const Shape& images, const WindowOptions& options) {
  const WindowGrid grid = MakeWindowGrid("Conv2d", images, options);
  return PartOf(grid, std::min(ImagesOfPart(grid), grid.images)).windows();
}

Tensor ConvolveBy(std::string_view op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const WindowOptions& options, WindowProducts products) {
  RequireFloating(op, "x", x);
  RequireF32OrF64(op, "weight", weight);
  const WindowGrid grid = MakeWindowGrid(op, x.shape(), options);
  const int64_t columns = NumElements({grid.kernel(), grid.channels});  // Throws where window_size() would overflow.
  if (weight.rank() != 2 || weight.dim(1) != columns || !GoesWith(x.dtype(), weight.dtype())) {
    throw Error(
        fmt::format("{}: x {} and weight {}, expected a weight [out_channels, {}] of one dtype, or x f16 or "
                    "bf16 with weight f32",
                    op, Describe(x), Describe(weight), columns));
  }
  const int64_t out = weight.dim(0);
  if (bias.defined()) RequireLike(op, "bias", bias, weight, {out});
  Tensor y = Tensor::Empty({grid.images, grid.height.out, grid.width.out, out}, x.dtype());
  const Parts parts(grid, weight.numel());
  std::byte* const to = y.mutable_raw();
  ForEach(parts.count, [&](int64_t i) {
    const int64_t first = i * parts.step, count = std::min(parts.step, grid.images - first);
    const Tensor part = products.forward(UnfoldPart(grid, x, first, count));
    CopyElements(part, part.raw(), to + OffsetOf(y, first));
  });
  autograd::Record(
      op, {x, weight, bias}, y,
      [grid, parts, out, columns, products = std::move(products), sx = SavedTensor(x), sw = SavedTensor(weight),
       need_x = x.requires_grad(), need_w = weight.requires_grad(), need_b = bias.requires_grad()](const Tensor& dy) {
        std::vector<Tensor> grads(3);
        const Tensor& images = sx.Get();
        // Throws if the weight was written to since: products may hold another form of it.
        const DType wide = sw.Get().dtype();
        if (need_x) grads[0] = Tensor::Empty(images.shape(), images.dtype());
        std::byte* const dx = need_x ? grads[0].mutable_raw() : nullptr;
        std::vector<Tensor> weight_grads(static_cast<size_t>(parts.lanes));
        ForEach(parts.lanes, [&](int64_t lane) {
          for (int64_t i = lane; i < parts.count; i += parts.lanes) {
            const int64_t first = i * parts.step, count = std::min(parts.step, grid.images - first);
            const int64_t rows = PartOf(grid, count).windows();
            Tensor part = Tensor::Empty({rows, out}, dy.dtype());
            CopyElements(part, dy.raw() + OffsetOf(dy, first), part.mutable_raw());
            if (need_w) {
              AccumulateGradient(wide, weight_grads[static_cast<size_t>(lane)],
                                 Product(Transpose::kYes, Transpose::kNo, out, columns, rows, part,
                                         UnfoldPart(grid, images, first, count), {out, columns}, wide));
            }
            if (need_x) FoldPart(grid, products.input_grad(part), count, dx + OffsetOf(images, first));
          }
        });
        if (need_w && parts.count == 0) grads[1] = Tensor::Zeros({out, columns}, wide);
        if (need_w && parts.count > 0) {
          for (Tensor& lane : weight_grads) AccumulateGradient(wide, grads[1], std::move(lane));
        }
        if (need_b) grads[2] = BiasGrad(dy);
        return grads;
      });
  return y;
}

Tensor Conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const WindowOptions& options) {
  const auto forward = [weight, bias](const Tensor& windows) {
    const int64_t rows = windows.dim(0), out = weight.dim(0);
    return Product(Transpose::kNo, Transpose::kYes, rows, out, weight.dim(1), windows, weight, {rows, out},
                   windows.dtype(), bias);
  };
  const auto input_grad = [weight](const Tensor& dy) {
    const int64_t rows = dy.dim(0), columns = weight.dim(1);
    return Product(Transpose::kNo, Transpose::kNo, rows, columns, weight.dim(0), dy, weight, {rows, columns},
                   dy.dtype());
  };
  return ConvolveBy("Conv2d", x, weight, bias, options, {forward, input_grad});
}

}  // namespace ops
}  // namespace twofour
