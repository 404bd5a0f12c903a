#pragma once

#include <memory>
#include <optional>
#include <string>

#include "twofour/comm/communicator.h"

namespace twofour::comm {

/// How this process was started as one of several.
struct Launch {
  std::string launcher;  ///< "mpirun"
  int ranks = 1;         ///< How many processes it started, this one included.
  bool operator==(const Launch&) const = default;
};

/// More processes than any machine starts for one program.
inline constexpr int kMostRanks = 1 << 20;

/// Which launcher started this process, as its environment says; nothing if none did. In this order:
///
/// - Open MPI's mpirun: OMPI_COMM_WORLD_SIZE;
/// - Slurm's srun: SLURM_STEP_NUM_TASKS, and SLURM_PROCID, the number of the task. SLURM_NTASKS does not count: it is
///   also set in the script of a job, which runs once;
/// - the mpiexec of MPICH and its kin, and others that speak PMI: PMI_SIZE.
///
/// Throws Error if such a variable is not a number from 1 to kMostRanks.
std::optional<Launch> FindLaunch();

/// Whether the launcher's environment calls this process another rank than the first. For those who cannot ask a
/// Communicator because there is none: ranks that all fail to begin should not all say so.
bool IsLaunchedAsAnotherRank();

/// Whether this build can connect several processes.
bool BuiltWithMpi();

/// A SingleProcess, without a call of MPI, if this process was not started as one of several ranks; else what connects
/// them (see ConnectByMpi, also for how to end). Waits for RankTimeoutSeconds(). Throws Error on what FindLaunch and
/// RankTimeoutSeconds throw on, if this build has no MPI, and if MPI knows of another number of ranks than the
/// launcher: then every process would train alone.
std::unique_ptr<Communicator> ConnectRanks();

}  // namespace twofour::comm
