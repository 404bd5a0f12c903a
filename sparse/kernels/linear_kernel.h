#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "twofour/core/isa.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Which of a linear's two products with its weight.
enum class Direction {
  kForward,    ///< y = x W^T: in [batch, in_features], out [batch, out_features].
  kInputGrad,  ///< dx = dy W: in [batch, out_features], out [batch, in_features].
};

/// "forward", "input_grad".
std::string_view NameOf(Direction direction);

/// The sizes of a product with a weight [out_features, in_features].
struct LinearShape {
  int64_t out_features = 0;
  int64_t in_features = 0;
  int64_t batch = 0;
  Direction direction = Direction::kForward;
  /// Whether the mask keeps at most two of four along rows and along columns. Kernels that need it so say
  /// that they cannot take others.
  bool two_of_four = true;
};

/// What happens to each element of a product before it is written: out = f(product + bias).
struct Epilogue {
  const float* bias = nullptr;  ///< One value for each column of the output, or null.
  bool relu_squared = false;    ///< f(v) = max(v, 0)^2, a NaN stays a NaN; identity otherwise.
};

/// A masked weight in one kernel's own layout.
class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
  /// Memory that the packed form takes, in bytes.
  virtual size_t bytes() const = 0;
};

/// One way of multiplying with a 2:4 weight. A kernel reads no state but its arguments, and gives the same bits for
/// any number of threads.
struct LinearKernel {
  std::string_view name;    ///< What TWOFOUR_KERNEL and the start-up table call it.
  std::string_view family;  ///< The same for one algorithm on every instruction set, and for nothing else.
  Isa isa;                  ///< What it is compiled for.
  std::string_view tiling;  ///< How it cuts the work, in words.
  /// True when one packed form serves both directions, whichever it was packed for.
  bool one_packing;
  /// True when the packed form reads the weight and the mask themselves each time: they must outlive it, unchanged.
  bool refers_to_weight;
  /// Why this kernel cannot take a product of this shape on this processor; empty when it can.
  std::string (*why_not)(const LinearShape& shape);
  /// Why it is slower than a kernel further down the table at a shape that it can take, packing included, as measured:
  /// docs/performance.md has the figures. Empty where it is the one to take.
  std::string (*why_slower)(const LinearShape& shape);
  /// Packs f32 `weight` [mask.rows(), mask.cols()], row-major, where the mask keeps.
  std::unique_ptr<PackedWeight> (*pack)(const float* weight, const Mask& mask, Direction direction);
  /// The product of `direction` for `batch` rows, with a weight packed for it. No overlap of in and out.
  void (*multiply)(const PackedWeight& weight, Direction direction, int64_t batch, const float* in,
                   const Epilogue& epilogue, float* out);
};

/// The table: fastest first, the scalar reference last. The only place that knows all kernels; dispatch and tests
/// iterate over it.
std::span<const LinearKernel> LinearKernels();

/// A kernel and the words that say why it was taken.
struct LinearKernelChoice {
  const LinearKernel* kernel = nullptr;
  std::string reason;
};

/// The first kernel of the table that takes the shape and is not slower there, or the one that TWOFOUR_KERNEL names. Of
/// a family, only the one for the best instruction set that is allowed here is ever asked: where it is slower than
/// others, its siblings are as well, whatever their bounds say. Depends on the shape and the processor, not on the
/// number of threads. Throws Error where the named one cannot take it, with its reason, and where none can.
LinearKernelChoice ChooseLinearKernel(const LinearShape& shape);

/// The first kernel of the table that TWOFOUR_KERNEL names, or null. Its other names are of no concern to products.
const LinearKernel* ForcedLinearKernel();

}  // namespace twofour::sparse
