#include "twofour/core/cpu.h"

#include <hwy/targets.h>

namespace twofour {

std::string InstructionSetName() {
  const int64_t supported = hwy::SupportedTargets();
  return hwy::TargetName(supported & -supported);  // Highway's targets: the lowest bit is the best one.
}

}  // namespace twofour
