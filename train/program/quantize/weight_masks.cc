#include "twofour/train/program/quantize/weight_masks.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/sparse/group_pattern.h"
#include "twofour/train/exchange/quantized_weight.h"

namespace twofour::train {
namespace {

/// What the weight's mask is: that of the run, or its zeros in place, if they have a pattern that takes fewer bytes.
PrunableRun::FoundMask MaskOf(const nn::PrunableLinear& linear, const PrunableRun& run, sparse::LowBitKind kind) {
  const auto found = run.masks().find(linear.name);
  if (found != run.masks().end()) return found->second;
  PrunableRun::FoundMask mask{sparse::Mask::FromTensor(linear.weight.To(DType::kBool)), sparse::MaskFormat::Dense()};
  const int64_t kept = mask.mask.CountKept(), all = linear.weight.numel();
  if (kept == 0 || kept == all) return mask;  // Any pattern would fit zeros alone, and some whole narrow weights.
  constexpr int64_t kFew = 4;                 // With less than a fourth of zeros, they are there by chance.
  if (all - kept >= all / kFew) mask.format = sparse::MaskFormat::Unstructured();
  if (mask.mask.format() == sparse::MaskFormat::TwoOfFour()) {
    mask.format = sparse::MaskFormat::TwoOfFour();
    return mask;
  }
  double least = 1;  // Bytes, as a share of the dense weight's.
  for (const sparse::GroupPattern& pattern : sparse::FindGroupPatterns(linear.weight, sparse::PatternAxis::kRows)) {
    const int bits = 8 + std::bit_width(static_cast<uint64_t>(pattern.m - 1));  // Of a byte and its place.
    const double share = static_cast<double>(pattern.n * bits) / static_cast<double>(pattern.m * 8);
    const auto format = sparse::MaskFormat::Rows(static_cast<int>(pattern.n), static_cast<int>(pattern.m));
    if (share >= least || !HasFileForm(kind, format)) continue;
    least = share;
    mask.format = format;
  }
  return mask;
}

}  // namespace

std::vector<PrunableRun::FoundMask> MasksOf(const std::vector<nn::PrunableLinear>& linears, const PrunableRun& run,
                                            sparse::LowBitKind kind, const std::string& source) {
  std::vector<PrunableRun::FoundMask> masks;
  for (const nn::PrunableLinear& linear : linears) {
    PrunableRun::FoundMask mask = MaskOf(linear, run, kind);
    mask.format = FormatThatHolds(mask.mask, mask.format);
    if (!HasFileForm(kind, mask.format)) {
      throw Error(fmt::format(
          "{}: {}: pattern {}, expected dense, 2:4 or unstructured for weights of {}; --weights int8 takes it, and "
          "--exclude leaves the linear as it is",
          source, linear.name, mask.format.ToString(), NameOf(kind)));
    }
    masks.push_back(std::move(mask));
  }
  return masks;
}

}  // namespace twofour::train
