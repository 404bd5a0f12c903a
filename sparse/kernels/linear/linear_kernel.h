#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// Why a kernel is not the one for a problem.
enum class Rejection {
  kNone,
  // It cannot:
  kIsa,       ///< The processor lacks its instruction set, or TWOFOUR_MAX_ISA forbids it.
  kDType,     ///< It has no code for one of the dtypes.
  kNotTiled,  ///< Out and in features are not multiples of 4.
  kFormat,    ///< It needs another format of mask.
  // It can, but a kernel further down the table is faster, as measured: docs/performance.md has the figures.
  kTooFewRows,   ///< Its packing does not pay for so few batch rows.
  kTooManyRows,  ///< It is made for fewer batch rows.
};

/// What a kernel says to a problem: cheap to give, and put into words by InWords where somebody asks.
struct Verdict {
  Rejection rejection = Rejection::kNone;
  int64_t bound = 0;  ///< Of kTooFewRows the fewest rows that pay, of kTooManyRows the most.

  bool can() const { return rejection == Rejection::kNone || rejection >= Rejection::kTooFewRows; }
  bool is_best() const { return rejection == Rejection::kNone; }
};

/// One way of multiplying with a masked weight. A kernel reads no state but its arguments, and gives the same bits for
/// any number of threads.
struct LinearKernel {
  std::string name;     ///< What TWOFOUR_KERNEL and the start-up table call it.
  std::string family;   ///< The same for one algorithm on every instruction set, and for nothing else.
  Isa isa;              ///< What it is compiled for.
  std::string tiling;   ///< How it cuts the work, in words.
  PackedLayout layout;  ///< What `pack` makes and `multiply` takes, for `isa`.
  bool one_packing;     ///< True when one packed form serves both directions, whichever it was packed for.
  /// Of everything but isa and dtypes, which are the same question for all: see Check.
  Verdict (*check)(const LinearProblem& problem);
  /// Packs f32 `weight` [mask.rows, mask.cols], row-major, where the mask keeps. With kInPlace the weight and the
  /// mask are read at each product: they must outlive what is packed, unchanged.
  std::unique_ptr<PackedWeight> (*pack)(const float* weight, const MaskView& mask, Direction direction);
  /// The product of `direction` for `batch` rows, with a weight packed for it. No overlap of in and out.
  void (*multiply)(const PackedWeight& weight, Direction direction, int64_t batch, const float* in,
                   const Epilogue& epilogue, float* out);
};

/// The table: fastest first, the scalar reference last. The only place that knows all kernels; dispatch and tests
/// iterate over it.
std::span<const LinearKernel> LinearKernels();

/// Whether a kernel can take a problem here, and whether it should.
Verdict Check(const LinearKernel& kernel, const LinearProblem& problem);
/// Why not, in words: "pays from 40 batch rows on with a weight of this size, here 3". Empty without a rejection.
std::string InWords(const Verdict& verdict, const LinearKernel& kernel, const LinearProblem& problem);

/// A problem's kernel.
struct LinearPlan {
  const LinearKernel* kernel = nullptr;
  bool forced = false;   ///< By TWOFOUR_KERNEL.
  bool widened = false;  ///< No kernel takes the problem's input: it is to be converted to f32, and the output back.
};

/// The first kernel of the table that can take the problem and is not slower than others there, or the one that
/// TWOFOUR_KERNEL names. Of a family, only the one for the best instruction set that is allowed here is ever asked:
/// where it is slower than others, its siblings are as well, whatever their bounds say. Depends on the problem and the
/// processor, not on the number of threads. Where none can take an input of 16 bits, it is the kernel for the same
/// problem in f32, `widened`. Throws Error where the named one cannot take it, with its reason, and where none can.
LinearPlan ChooseLinearKernel(const LinearProblem& problem);
/// Why ChooseLinearKernel takes the one that it does: "the fastest at this size", or what speaks against those before.
std::string ExplainLinearKernel(const LinearProblem& problem);

/// The first kernel of the table that TWOFOUR_KERNEL names, or null. Its other names are of no concern to products.
const LinearKernel* ForcedLinearKernel();

/// The kernel of the table that multiplies with this layout on this instruction set, or null.
const LinearKernel* FindLinearKernel(PackedLayout layout, Isa isa);

}  // namespace twofour::sparse
