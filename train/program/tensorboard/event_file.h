#pragma once

#include <filesystem>

#include "twofour/core/io/file_system.h"
#include "twofour/train/clock.h"

namespace twofour::train {

/// The path of a new event file in `folder`: events.out.tfevents.SECONDS.HOST.PID. TensorBoard reads a folder's event
/// files in the order of their names and does not come back to one; so SECONDS, which is `wall_clock`'s time, is at
/// least one more than that of each event file that is there, however quickly runs follow one another and clocks
/// differ.
std::filesystem::path NextEventFile(FileSystem& files, const std::filesystem::path& folder,
                                    const Clock& wall_clock = Clock::Wall());

}  // namespace twofour::train
