#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofour::train {

/// The last `count` lines of a file, such as a log, or fewer; none when it cannot be read. Lines that began more than
/// 64 KiB before its end are left out.
std::vector<std::string> LastLines(const std::filesystem::path& path, size_t count);

/// The loss of the last evaluation in a metrics file, if there is one.
std::optional<double> LastEvaluationLoss(const std::filesystem::path& metrics);

}  // namespace twofour::train
