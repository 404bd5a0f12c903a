#pragma once

#include <cstddef>
#include <memory>

#include "twofour/comm/communicator.h"

namespace twofour::comm {

struct MpiOptions {
  /// An exchange throws when nothing arrived, and nothing was taken, for so long.
  double timeout_seconds = 300;
  /// MPI counts bytes in an int, so longer messages go in pieces of so many bytes. From 1 to INT_MAX, and the same on
  /// all ranks.
  size_t piece_bytes = size_t{1} << 30;
};

/// Connects all processes that MPI started together. Every one of them must call it, and may do so several times: what
/// is sent through one communicator arrives at that one. Messages go through a communicator of MPI's that is ours
/// alone, by MPI's calls from one point to another. Only in builds with MPI.
///
/// Starts MPI, unless that was done before. Then the destructor ends MPI, which waits for all ranks, but only after an
/// orderly end: not while an exception passes through, not after a call of the communicator threw, and not after Abort.
/// A rank that leaves without ending MPI makes mpirun end the others. So whoever catches an error and keeps the
/// communicator calls Abort.
///
/// Throws Error (a runtime failure) if MPI has ended already, cannot serve threads one after the other
/// (MPI_THREAD_SERIALIZED), or fails; (invalid input) on options out of range.
std::unique_ptr<Communicator> ConnectByMpi(const MpiOptions& options = {});

}  // namespace twofour::comm
