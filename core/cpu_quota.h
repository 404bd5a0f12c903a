#pragma once

#include <optional>
#include <string>

namespace twofour {

/// How many processors' worth of time the control groups of this process grant it: 1.5 means 150 ms in each 100 ms.
/// Containers are limited in this way. It is the smallest grant of the process's own group and those above it, in both
/// versions of Linux's control groups (cpu.max, cpu.cfs_quota_us). Nothing where time is unlimited, and wherever files
/// are missing or hold something that the kernel would not write. `root` is put before every path that is read, so that
/// tests can have their own trees.
std::optional<double> CpuQuota(const std::string& root = "");

}  // namespace twofour
