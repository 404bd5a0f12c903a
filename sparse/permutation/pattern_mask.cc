#include "twofour/sparse/permutation/pattern_mask.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/mask_of_format.h"
#include "twofour/sparse/vnm_mask.h"

namespace twofour::sparse {
namespace {

/// A pattern with the same v and n that Check would accept if these are right.
VnmPattern AsVnm(VnmPattern pattern) {
  if (IsPlain(pattern)) pattern.m = VnmPattern().m;
  return pattern;
}

}  // namespace

void CheckPlainOrVnm(const VnmPattern& pattern, const FieldPath& at, Faults& faults) {
  Check(AsVnm(pattern), at, faults);
}

std::string PatternName(const VnmPattern& pattern) {
  if (!IsPlain(pattern)) return pattern.ToString();
  return pattern.inner == VnmInner::kRows ? "2:4 along rows" : "2:4";
}

Mask FindPatternMask(const Tensor& scores, const VnmPattern& pattern, std::string_view name) {
  if (!IsPlain(pattern)) return FindVnmMask(scores, pattern, name);
  Checked(AsVnm(pattern), "");
  ops::RequireDType("FindPatternMask", name, scores, DType::kF32);
  const bool along_rows = pattern.inner == VnmInner::kRows;
  if (scores.rank() != 2 || scores.dim(1) % kPlainColumns != 0 || (!along_rows && scores.dim(0) % kTileSize != 0)) {
    throw Error(fmt::format("{}: shape {}, a {} mask needs {}", name, ToString(scores.shape()), PatternName(pattern),
                            along_rows ? "[rows, a multiple of 4]" : "multiples of 4"));
  }
  return FindMaskOf(scores, MaskFormat::Vnm(pattern), name);
}

}  // namespace twofour::sparse
