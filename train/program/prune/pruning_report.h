#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/nn/one_shot.h"
#include "twofour/train/program/prune/pruned_run.h"

namespace twofour::train {

/// The share of the pruned linears' weights that their masks drop.
double SparsityOf(const nn::OneShotReport& report);
/// The same as a line.
std::string SummaryOf(const nn::OneShotReport& report);

/// A table for people: a line for each linear, then one for all of them. Lines end in "\n".
std::string ToLines(const PrunedRun& pruned);

/// Writes the same as one JSON object, with how it was made:
///   ///
///   {"run":..,"method":..,"pattern":..,"allocation":..,"order":..,"samples":..,"seed":..,"loss_before":..,"loss_after":..,"sparsity":..,
///    "linears":[{"name":..,"out_features":..,"in_features":..,"pattern":..,"sparsity":..,"retained":..,
///    "output_error":..}],"kept_dense":[{"name":..,"reason":..}]}
/// What is not known is left out.
void SavePruningReport(FileSystem& files, const std::filesystem::path& path, const PruneRequest& request,
                       const PrunedRun& pruned);

}  // namespace twofour::train
