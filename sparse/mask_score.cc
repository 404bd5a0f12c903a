#include "twofour/sparse/mask_score.h"

namespace twofour::sparse {

std::string_view NameOf(MaskScore score) {
  switch (score) {
    case MaskScore::kMagnitude:
      return "magnitude";
    case MaskScore::kRia:
      return "ria";
  }
  return "?";
}

}  // namespace twofour::sparse
