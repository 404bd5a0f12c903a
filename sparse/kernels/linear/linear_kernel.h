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

/// Why a kernel is not taken for a problem.
enum class Rejection {
  kNone,
  // It cannot:
  kIsa,       ///< The processor lacks its instruction set, or TWOFOUR_MAX_ISA forbids it.
  kDType,     ///< It has no code for one of the dtypes.
  kNotTiled,  ///< Out and in features are not multiples of 4.
  kFormat,    ///< It needs another format of mask.
  // It can, but others are made for this pattern:
  kNoVnm,        ///< It is made for V:N:M weights, and takes others as 4:2:4.
  kVnm,          ///< It takes V:N:M weights tile by tile, which leaves gaps.
  kSmallBlocks,  ///< Its blocks have so few rows that their tiles are worth less than what they cost.
  // It can, but it is there for tests:
  kEmulated,  ///< It emulates instructions that the processor may lack.
  // It can, but nobody knows yet whether it should:
  kUnmeasured,  ///< It was never measured on a processor that has its instructions.
  // It can, but a kernel further down the table is faster, as measured: docs/performance.md has the figures.
  kTooFewRows,   ///< Its packing does not pay for so few batch rows.
  kTooManyRows,  ///< It is made for fewer batch rows.
  kTiles,        ///< Skipping zeros saves nothing where the processor multiplies dense tiles (AMX).
  kSlowPairs,    ///< The processor multiplies pairs of bf16 more slowly than floats: see Bf16PairsPay.
  kFastPairs,    ///< It multiplies floats where the processor multiplies pairs of bf16 faster.
};

/// What a kernel answers to a problem. It is cheap to make. InWords puts it into words for those who ask.
struct Verdict {
  Rejection rejection = Rejection::kNone;
  int64_t bound = 0;  ///< For kTooFewRows and kSmallBlocks the fewest rows that pay, for kTooManyRows the most.

  bool can() const { return rejection == Rejection::kNone || rejection >= Rejection::kNoVnm; }
  bool is_best() const { return rejection == Rejection::kNone; }
};

/// One way to multiply with a masked weight. A kernel reads no state but its arguments, and gives the same bits for any
/// number of threads.
struct LinearKernel {
  std::string name;                ///< What TWOFOUR_KERNEL and the start-up table call it.
  std::string family;              ///< The algorithm: the same for all its instruction sets, and for nothing else.
  Isa isa;                         ///< What it is compiled for.
  std::string tiling;              ///< How it cuts the work, in words.
  PackedLayout layout;             ///< What `pack` makes and `multiply` takes, for `isa`.
  bool one_packing;                ///< True when one packed form serves both directions, whichever it was packed for.
  DType activation = DType::kF32;  ///< What `multiply` reads and writes. Another dtype needs a family of its own.
  bool emulated = false;           ///< It emulates instructions that the processor may lack, so that tests can run it.
  /// Looks at sizes, direction and format. The function Check looks at the isa and the dtypes before it calls this, and
  /// afterwards at what the processor does best.
  Verdict (*check)(const LinearProblem& problem);
  /// Packs f32 `weight` [mask.rows, mask.cols], row-major, where the mask keeps. With kInPlace, each product reads the
  /// weight and the mask: they must outlive the packed weight, unchanged.
  std::unique_ptr<PackedWeight> (*pack)(const float* weight, const MaskView& mask, Direction direction);
  /// Computes the product of `direction` for `batch` rows, with a weight that was packed for it. `in` and `out` point
  /// at elements of `activation` and must not overlap.
  void (*multiply)(const PackedWeight& weight, Direction direction, int64_t batch, const void* in,
                   const Epilogue& epilogue, void* out);
};

/// The table: fastest first, the scalar reference last. It is the only place that knows all kernels. Dispatch and tests
/// iterate over it.
std::span<const LinearKernel> LinearKernels();

/// Whether a kernel can take a problem here, and whether it should.
Verdict Check(const LinearKernel& kernel, const LinearProblem& problem);
/// Why the kernel is not taken, in words: "pays from 40 batch rows on with a weight of this size, here 3". Empty
/// without a rejection.
std::string InWords(const Verdict& verdict, const LinearKernel& kernel, const LinearProblem& problem);

/// The kernel for a problem.
struct LinearPlan {
  const LinearKernel* kernel = nullptr;
  bool forced = false;   ///< TWOFOUR_KERNEL names it.
  bool widened = false;  ///< No kernel takes the problem's input: it must be converted to f32, and the output back.
};

/// The first kernel of the table that can take the problem and is not slower there than others, or the one that
/// TWOFOUR_KERNEL names. Only one kernel of each family is asked: the one for the best allowed instruction set. If it
/// answers that it is slower than other kernels, the rest of its family is not asked, because on this processor they
/// are slower still, even if their own bounds would let them in. The choice depends on the problem and the processor,
/// and not on the number of threads. If no kernel can take an input of 16 bits, it is the kernel for the same problem
/// in f32, `widened`. So it is if the named kernel takes f32. Throws Error if the named kernel cannot take the problem,
/// with its reason, or if no kernel can.
LinearPlan ChooseLinearKernel(const LinearProblem& problem);
/// Why ChooseLinearKernel takes the kernel that it takes: "the fastest at this size", or why those before it were not
/// taken.
std::string ExplainLinearKernel(const LinearProblem& problem);

/// The first kernel of the table that TWOFOUR_KERNEL names, or null. Names of other tables do not matter here.
const LinearKernel* ForcedLinearKernel();

/// The first kernel of the table that multiplies with this layout on this instruction set, or null. The fused MLP finds
/// its linear kernel this way, so a kernel that would share both with another one needs a layout of its own.
const LinearKernel* FindLinearKernel(PackedLayout layout, Isa isa);

}  // namespace twofour::sparse
