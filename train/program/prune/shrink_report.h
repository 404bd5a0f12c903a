#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/prune/shrunk_run.h"

namespace twofour::train {

/// What stayed, for people: a line for each set of parts, the numbers of parameters, and losses where they are known.
std::string ToLines(const ShrunkRun& shrunk);

/// Writes the same as one JSON object, with how it was made:
///   {"run":..,"importance":..,"samples":..,"seed":..,"loss_before":..,"loss_after":..,"parameters_before":..,
///    "parameters_after":..,"sets":[{"name":..,"kind":..,"count":..,"kept":[..],"group":..,"importances":[..]}]}
/// `kept` has the indexes that heads, neurons or blocks had in the larger model, and `importances` a number for each
/// `group` of them: query heads that share a key head stay or go together. Losses that are not known are left out, and
/// `samples` is 0 where importance needs no data.
void SaveShrinkReport(FileSystem& files, const std::filesystem::path& path, const ShrinkRequest& request,
                      const ShrunkRun& shrunk);

}  // namespace twofour::train
