#pragma once

#include <string>

namespace twofour {

/// What the processor calls itself: "AMD EPYC 7B13 64-Core Processor". "unknown processor" where the system does not
/// say. `cpuinfo`: where Linux tells of processors.
std::string ProcessorName(const std::string& cpuinfo = "/proc/cpuinfo");

}  // namespace twofour
