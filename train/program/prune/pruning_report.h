#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/prune/pruned_run.h"

namespace twofour::train {

/// The linears that were to be pruned: also those that an allocation left dense.
size_t CountLinears(const PrunedRun& pruned);
/// The share of their weights that masks drop.
double SparsityOf(const PrunedRun& pruned);
/// The share of them that are 0: also weights that masks keep, as those of features that are always 0.
double ShareOfZeros(const PrunedRun& pruned);
/// The same as a line.
std::string SummaryOf(const PrunedRun& pruned);

/// A table for people: a line for each linear, then one for all of them. Lines end in "\n".
std::string ToLines(const PrunedRun& pruned);

/// Writes the same as one JSON object, with how it was made: all fields of proto::Pruning that are set.
///   {"run":..,"checkpoint":..,"weights":..,"method":..,"pattern":..,..,"loss_before":..,"loss_after":..,"sparsity":..,
///    "linears":[{"name":..,"out_features":..,"in_features":..,"pattern":..,"sparsity":..,"zeros":..,
///    "retained":..,"output_error":..}],"kept_dense":[{"name":..,"reason":..}],"notes":[..]}
/// What is not known is left out.
void SavePruningReport(FileSystem& files, const std::filesystem::path& path, const PruneRequest& request,
                       const PrunedRun& pruned);

}  // namespace twofour::train
