#pragma once

#include <optional>
#include <string>

namespace twofour {

/// How many processors' worth of time the control groups of this process grant it: 1.5 means 150 ms in each 100 ms.
/// Containers are limited in this way. The least of what the process's own group and those above it grant, in both
/// versions of Linux's control groups (cpu.max, cpu.cfs_quota_us). Nothing where time is unlimited, and wherever files
/// are missing or hold what the kernel would not write. `root` stands before every path that is read: tests have trees
/// of their own.
std::optional<double> CpuQuota(const std::string& root = "");

}  // namespace twofour
