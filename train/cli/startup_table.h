#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"
#include "twofour/train/config/workload.h"

#include "config.pb.h"

namespace twofour::train {

/// Prints what is about to be trained: run, model, data and its classes, schedule, threads, instruction set and
/// kernels, where it is not 0 the `peak_flops` that were measured, and the workload's notes.
void PrintStartupTable(const proto::Config& config, const std::string& folder, const Workload& workload,
                       double peak_flops, std::ostream& out);

/// Prints what the user should look at, a row for each. The one place for warnings before training.
void PrintNotes(const std::vector<std::string>& notes, std::ostream& out);

/// Prints what the layer swap of `options` did: the recipe, the converted layers with their kernels, which MLPs of
/// `model` run as one op, and each linear kept dense and why. `batch` is the rows that a training product has.
void PrintSwapReport(const nn::SwapReport& report, const nn::SwapOptions& options, nn::Module& model, int64_t batch,
                     std::ostream& out);

}  // namespace twofour::train
