#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofour::train {

/// The last `count` lines of a log, or fewer if it has fewer; none if it cannot be read. If the trainer's last error
/// message is among the last 40 lines but further up, because a launcher has had the last word: the lines from there
/// on. Leaves out lines that began more than 64 KiB before the end.
std::vector<std::string> LastLines(const std::filesystem::path& log, size_t count);

/// The last message of a process that failed.
struct LastWords {
  std::string text;       ///< At most 300 characters; empty: there is none.
  bool is_error = false;  ///< It is the first line of the trainer's own error message.
};

/// The trainer's last error message in a log or, if there is none, the last line that has letters or digits. Looks only
/// at what was written from byte `from` on.
LastWords FindLastWords(const std::filesystem::path& log, uint64_t from);

/// The loss of the last evaluation in a metrics file, if there is one.
std::optional<double> LastEvaluationLoss(const std::filesystem::path& metrics);

}  // namespace twofour::train
