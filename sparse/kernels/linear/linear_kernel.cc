#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/never_destroyed.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {
namespace {

/// Calls visit(kernel, verdict) for the kernels that may be taken, in their order, until it returns true. Of each
/// family, only the best kernel that may run here is asked. Kernels for other machines are left out, because they can
/// never be taken here. So are kernels for other activations, if those or the kernel's are of 16 bits: their rejections
/// would tell nobody anything.
template <typename Visit>
void AskInTurn(const LinearProblem& problem, const Visit& visit) {
  const std::string* asked = nullptr;  // The family of the last kernel that was asked. A family stands together.
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!IsAllowed(kernel.isa) || (asked != nullptr && kernel.family == *asked)) continue;
    const bool of_half = IsHalf(kernel.activation) || IsHalf(problem.input);
    if (of_half && kernel.activation != problem.input) continue;
    asked = &kernel.family;
    if (visit(kernel, Check(kernel, problem))) return;
  }
}

bool IsForVnm(PackedLayout layout) {
  return layout == PackedLayout::kVnm || layout == PackedLayout::kRoundedVnm || layout == PackedLayout::kBf16Vnm ||
         layout == PackedLayout::kVnmTiles;
}

/// The rejections of all kernels before the one that is taken, in words. Equal reasons are said once. Emulated kernels
/// and those for other patterns are not worth a word.
std::string RejectionsInWords(const LinearProblem& problem) {
  std::vector<std::pair<std::string, std::string>> rejected;  // Names of kernels, and why.
  AskInTurn(problem, [&](const LinearKernel& kernel, const Verdict& verdict) {
    if (verdict.is_best()) return true;
    if (kernel.emulated || (IsForVnm(kernel.layout) && !problem.format.is_vnm())) return false;
    std::string why = InWords(verdict, kernel, problem);
    if (!rejected.empty() && rejected.back().second == why) {
      rejected.back().first += fmt::format(", {}", kernel.name);
    } else {
      rejected.emplace_back(kernel.name, std::move(why));
    }
    return false;
  });
  std::string text;
  for (const auto& [names, why] : rejected) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", names, why);
  return text;
}

/// Whether a layout leaves out the zeros of a 2:4 weight. A dense product multiplies as fast as if there were none.
bool SkipsZeros(PackedLayout layout) {
  switch (layout) {
    case PackedLayout::kPairBucket:
    case PackedLayout::kRoundedPairBucket:
    case PackedLayout::kBf16PairBucket:
    case PackedLayout::kVnm:
    case PackedLayout::kRoundedVnm:
    case PackedLayout::kBf16Vnm:
      return true;
    case PackedLayout::kVnmTiles:  // Zeros within a block's columns are multiplied.
    case PackedLayout::kInPlace:
    case PackedLayout::kMaskedCopy:
    case PackedLayout::kKeptEntries:
      return false;
  }
  return false;
}

/// Whether this processor multiplies faster by other means than a kernel that has nothing against a problem.
Verdict CheckProcessor(const LinearKernel& kernel) {
  // AMX multiplies tiles of 16 rows by 32 columns. All of a 2:4 weight's tiles have kept entries, so none is left out.
  const bool bf16 = kernel.activation == DType::kBF16;
  if (bf16 && SkipsZeros(kernel.layout) && IsAllowed(Isa::kAmxBf16)) return {Rejection::kTiles};
  if (kernel.isa == Isa::kAvx512Bf16 && !Bf16PairsPay()) return {Rejection::kSlowPairs};
  // Where there are too few rows for a sparse kernel of pairs, a dense product of pairs takes half the time of a 2:4
  // product of floats.
  const bool floats = kernel.layout == PackedLayout::kRoundedPairBucket || kernel.layout == PackedLayout::kRoundedVnm;
  if (floats && Bf16PairsPay()) return {Rejection::kFastPairs};
  return {};
}

/// The same product of f32, which any kernel can compute for whoever converts input and output.
LinearProblem InF32(LinearProblem problem) {
  problem.input = problem.output = DType::kF32;
  return problem;
}

/// The plan for the same problem in f32.
LinearPlan WidenedPlan(const LinearProblem& problem) {
  LinearPlan plan = ChooseLinearKernel(InF32(problem));
  plan.widened = true;
  return plan;
}

}  // namespace

std::string_view NameOf(Direction direction) { return direction == Direction::kForward ? "forward" : "input_grad"; }

std::span<const LinearKernel> LinearKernels() {
  static const NeverDestroyed<std::vector<LinearKernel>> table([] {
    std::vector<LinearKernel> kernels;
    for (const auto& family : {VnmAmxKernels, Bf16VnmKernels, VnmKernels, Bf16PairBucketKernels, PairBucketKernels,
                               MaskedRowsKernels, MaskedDenseKernels}) {
      for (LinearKernel& kernel : family()) kernels.push_back(std::move(kernel));
    }
    kernels.push_back(ScalarReferenceKernel());
    return kernels;
  }());
  return *table;
}

Verdict CheckNothing(const LinearProblem&) { return {}; }

Verdict CheckTiled(const LinearProblem& problem) {
  if (problem.out_features % kTileSize == 0 && problem.in_features % kTileSize == 0) return {};
  return {Rejection::kNotTiled};
}

Verdict CheckMadeForVnm(const LinearProblem& problem) {
  const bool vnm = problem.format.kind == MaskFormat::Kind::kVnm;
  if (!vnm && !IsTwoOfFour(problem.format)) return {Rejection::kFormat};
  const Verdict tiled = CheckTiled(problem);
  if (!tiled.can()) return tiled;
  return {vnm ? Rejection::kNone : Rejection::kNoVnm};
}

Verdict Check(const LinearKernel& kernel, const LinearProblem& problem) {
  if (!IsAllowed(kernel.isa)) return {Rejection::kIsa};
  if (problem.weight != DType::kF32 || problem.input != kernel.activation || problem.output != kernel.activation) {
    return {Rejection::kDType};
  }
  const Verdict verdict = kernel.check(problem);
  return verdict.is_best() ? CheckProcessor(kernel) : verdict;
}

std::string InWords(const Verdict& verdict, const LinearKernel& kernel, const LinearProblem& problem) {
  switch (verdict.rejection) {
    case Rejection::kNone:
      return {};
    case Rejection::kIsa:
      return WhyNotHere(kernel.isa);
    case Rejection::kDType:
      return fmt::format("multiplies {0} with f32 to {0}, here {1} with {2} to {3}", NameOf(kernel.activation),
                         NameOf(problem.input), NameOf(problem.weight), NameOf(problem.output));
    case Rejection::kNotTiled:
      return fmt::format("weight [{}, {}] is not made of 4x4 tiles", problem.out_features, problem.in_features);
    case Rejection::kFormat:
      return "the mask keeps more than two of four in a row or column";
    case Rejection::kNoVnm:
      return "made for V:N:M weights";
    case Rejection::kVnm:
      return "another kernel is made for V:N:M weights";
    case Rejection::kSmallBlocks:
      return fmt::format("pays with blocks of {} rows and more, in multiples of 16, here {}", verdict.bound,
                         problem.format.v);
    case Rejection::kUnmeasured:
      return fmt::format("its speed was not measured yet, TWOFOUR_KERNEL={} forces it", kernel.name);
    case Rejection::kEmulated:
      return "emulates instructions, for tests";
    case Rejection::kTooFewRows:
      return fmt::format("pays from {} batch rows on with a weight of this size, here {}", verdict.bound,
                         problem.batch);
    case Rejection::kTooManyRows:
      return fmt::format("pays up to {} batch rows, here {}", verdict.bound, problem.batch);
    case Rejection::kTiles:
      return "skipping zeros saves nothing on AMX, where dense tiles of bf16 are faster";
    case Rejection::kSlowPairs:
      return "on this processor pairs of bf16 are slower than floats";
    case Rejection::kFastPairs:
      return "on this processor pairs of bf16 are faster than floats";
  }
  return "?";
}

const LinearKernel* ForcedLinearKernel() {
  if (ForcedKernels().empty()) return nullptr;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (IsForced(kernel.name)) return &kernel;
  }
  return nullptr;
}

const LinearKernel* FindLinearKernel(PackedLayout layout, Isa isa) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.layout == layout && kernel.isa == isa) return &kernel;
  }
  return nullptr;
}

LinearPlan ChooseLinearKernel(const LinearProblem& problem) {
  if (const LinearKernel* const forced = ForcedLinearKernel()) {
    const Verdict verdict = Check(*forced, problem);
    if (verdict.can()) return {.kernel = forced, .forced = true};
    if (IsHalf(problem.input) && forced->activation == DType::kF32) return WidenedPlan(problem);
    throw Error(fmt::format("TWOFOUR_KERNEL={}: {}", forced->name, InWords(verdict, *forced, problem)));
  }
  LinearPlan plan;
  AskInTurn(problem, [&plan](const LinearKernel& kernel, const Verdict& verdict) {
    if (verdict.is_best()) plan.kernel = &kernel;
    return verdict.is_best();
  });
  if (plan.kernel != nullptr) return plan;
  if (IsHalf(problem.input)) return WidenedPlan(problem);
  throw Error(fmt::format("no kernel multiplies with a 2:4 weight [{}, {}]: {}", problem.out_features,
                          problem.in_features, RejectionsInWords(problem)));
}

std::string ExplainLinearKernel(const LinearProblem& problem) {
  const LinearPlan plan = ChooseLinearKernel(problem);
  if (plan.widened && plan.forced) {
    return fmt::format("forced by TWOFOUR_KERNEL; it takes f32, to which {} is widened", NameOf(problem.input));
  }
  if (plan.widened) {
    return fmt::format("no kernel takes {}, which is widened to f32: {}", NameOf(problem.input),
                       ExplainLinearKernel(InF32(problem)));
  }
  if (plan.forced) return "forced by TWOFOUR_KERNEL";
  std::string rejections = RejectionsInWords(problem);
  return rejections.empty() ? "the fastest at this size" : rejections;
}

}  // namespace twofour::sparse
