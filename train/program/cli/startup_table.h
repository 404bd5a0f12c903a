#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/peak_estimate.h"
#include "twofour/core/processors.h"
#include "twofour/train/program/config/workload.h"

#include "config.pb.h"

namespace twofour::train {

/// The number of threads and, if one might expect another, the reason: "2 (CPU quota of this container is 1.5; 64
/// processors)". `automatic`: nobody asked for a number.
std::string DescribeThreads(int threads, bool automatic, const Processors& processors);

/// Prints what is about to be trained: run, model, data and its classes, schedule, threads, instruction set and
/// kernels, the `peak` if it was measured, and the workload's notes.
void PrintStartupTable(const proto::Config& config, const std::string& folder, const Workload& workload,
                       const PeakFlops& peak, const comm::Communicator& ranks, std::ostream& out);

}  // namespace twofour::train
