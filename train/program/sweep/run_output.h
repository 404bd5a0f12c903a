#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofour::train {

/// The last `count` lines of a file, such as a log, or fewer; none when it cannot be read. Lines that began more than
/// 64 KiB before its end are left out.
std::vector<std::string> LastLines(const std::filesystem::path& path, size_t count);

/// What a process that failed said last.
struct LastWords {
  std::string text;       ///< At most 300 characters; empty: it said nothing.
  bool is_error = false;  ///< It is the trainer's own message, of which the first line is taken.
};

/// The last line of a log that says anything, the trainer's message where there is one, among what was written to it
/// from byte `from` on.
LastWords FindLastWords(const std::filesystem::path& log, uint64_t from);

/// The loss of the last evaluation in a metrics file, if there is one.
std::optional<double> LastEvaluationLoss(const std::filesystem::path& metrics);

}  // namespace twofour::train
