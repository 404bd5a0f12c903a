#include "twofour/sparse/mask_format.h"

#include <fmt/format.h>

namespace twofour::sparse {

std::string MaskFormat::ToString() const {
  switch (kind) {
    case Kind::kDense:
      return "dense";
    case Kind::kTransposable:
      return fmt::format("{}:{} both ways", n, m);
    case Kind::kRows:
      return fmt::format("{}:{} along rows", n, m);
    case Kind::kUnstructured:
      return "unstructured";
  }
  return "?";
}

}  // namespace twofour::sparse
