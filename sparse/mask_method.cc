#include "twofour/sparse/mask_method.h"

namespace twofour::sparse {

std::string_view NameOf(MaskMethod method) {
  switch (method) {
    case MaskMethod::kExact:
      return "exact";
    case MaskMethod::kGreedy:
      return "greedy";
    case MaskMethod::kSignedGreedy:
      return "signed_greedy";
    case MaskMethod::kRandom:
      return "random";
    case MaskMethod::kRows:
      return "rows";
    case MaskMethod::kVnm:
      return "vnm";
    case MaskMethod::kPattern:
      return "pattern";
  }
  return "?";
}

}  // namespace twofour::sparse
