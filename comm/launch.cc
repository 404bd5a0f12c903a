#include "twofour/comm/launch.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "twofour/comm/mpi_communicator.h"
#include "twofour/comm/rank_timeout.h"
#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"

namespace twofour::comm {
namespace {

int RanksIn(const char* variable, std::string_view text) {
  int ranks = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ranks);
  if (error == std::errc() && end == text.data() + text.size() && ranks >= 1 && ranks <= kMostRanks) return ranks;
  throw Error(fmt::format("{} is {}, expected a number of processes from 1 to {}", variable, QuoteForMessage(text),
                          kMostRanks));
}

}  // namespace

std::optional<Launch> FindLaunch() {
  struct Row {
    const char* launcher;
    const char* size;
    const char* also;  // What must be set as well.
  };
  constexpr Row kRows[] = {
      {"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE"},
      // mpirun of Open MPI starts its own helpers by srun, so it is asked for first.
      {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},
      {"mpiexec", "PMI_SIZE", "PMI_SIZE"},
  };
  for (const Row& row : kRows) {
    const char* const size = std::getenv(row.size);
    if (size != nullptr && std::getenv(row.also) != nullptr) return Launch{row.launcher, RanksIn(row.size, size)};
  }
  return std::nullopt;
}

bool IsLaunchedAsAnotherRank() {
  for (const char* const variable : {"OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"}) {
    if (const char* const rank = std::getenv(variable)) return std::string_view(rank) != "0";
  }
  return false;
}

#ifdef TWOFOUR_HAVE_MPI
bool BuiltWithMpi() { return true; }

std::unique_ptr<Communicator> ConnectRanks() {
  const std::optional<Launch> launch = FindLaunch();
  if (!launch || launch->ranks == 1) return std::make_unique<SingleProcess>();
  std::unique_ptr<Communicator> ranks = ConnectByMpi({.timeout_seconds = RankTimeoutSeconds()});
  if (ranks->size() == launch->ranks) return ranks;
  throw Error(
      fmt::format("started by {} as one of {} processes, but MPI knows of {}: start them with the mpirun of the "
                  "MPI that this build uses, or with srun --mpi=pmix",
                  launch->launcher, launch->ranks, ranks->size()));
}
#else
bool BuiltWithMpi() { return false; }

std::unique_ptr<Communicator> ConnectRanks() {
  const std::optional<Launch> launch = FindLaunch();
  if (!launch || launch->ranks == 1) return std::make_unique<SingleProcess>();
  throw Error(
      fmt::format("started by {} as one of {} processes, but this build has no MPI; build with it (Debian's "
                  "libopenmpi-dev), or start one process",
                  launch->launcher, launch->ranks));
}
#endif

}  // namespace twofour::comm
