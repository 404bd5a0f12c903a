#include "twofour/sparse/mask_format.h"

#include <fmt/format.h>

namespace twofour::sparse {

std::string MaskFormat::Ratio() const {
  switch (kind) {
    case Kind::kDense:
      return "dense";
    case Kind::kTransposable:
    case Kind::kRows:
      return fmt::format("{}:{}", n, m);
    case Kind::kVnm:
    case Kind::kVnmRows:
      return fmt::format("{}:{}:{}", v, n, m);
    case Kind::kBlocks:
      return fmt::format("{}x{} blocks", block_rows, block_cols);
    case Kind::kUnstructured:
      return "unstructured";
  }
  return "?";
}

std::string MaskFormat::Direction() const {
  switch (kind) {
    case Kind::kTransposable:
      return "both ways";
    case Kind::kRows:
    case Kind::kVnmRows:
      return "along rows";
    case Kind::kVnm:
    case Kind::kBlocks:
    case Kind::kDense:
    case Kind::kUnstructured:
      break;
  }
  return "";
}

std::string MaskFormat::ToString() const {
  const std::string direction = Direction();
  return direction.empty() ? Ratio() : fmt::format("{} {}", Ratio(), direction);
}

}  // namespace twofour::sparse
