#include "twofour/sparse/mask_of_format.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/vnm_mask.h"

namespace twofour::sparse {

Mask FindMaskOf(const Tensor& scores, const MaskFormat& format, std::string_view name, VnmColumnChoice columns) {
  if (format.is_vnm()) return FindVnmMask(scores, format.vnm(), name, columns);
  if (format.kind == MaskFormat::Kind::kRows) return FindRowMask(scores, {.keep = format.n, .of = format.m}, name);
  if (format == MaskFormat::TwoOfFour()) return FindMask(scores, MaskMethod::kExact, name);
  throw Error(fmt::format("{}: no search for masks that are {}", name, format.ToString()));
}

}  // namespace twofour::sparse
