#pragma once

#include <filesystem>

#include "twofour/core/io/file_system.h"
#include "twofour/train/clock.h"

namespace twofour::train {

/// The path of a new event file in `folder`: events.out.tfevents.SECONDS.HOST.PID. TensorBoard reads a folder's event
/// files in the order of their names and does not go back to an earlier one. So SECONDS is `wall_clock`'s time or more:
/// it is larger than that of every event file in the folder, even if runs follow one another quickly or clocks differ.
std::filesystem::path NextEventFile(FileSystem& files, const std::filesystem::path& folder,
                                    const Clock& wall_clock = Clock::Wall());

}  // namespace twofour::train
