// Runs the tests of this folder on every rank, with an MPI of its own that outlives the communicators; or, with
// --way=WAY, connects as the trainer does, and ends in one of the ways below.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <mpi.h>

#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>

#include "twofour/comm/launch.h"
#include "twofour/core/error.h"

namespace twofour::comm {
namespace {

void Say(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

/// What rank 1 does while the others wait for it.
void End(Communicator& ranks, std::string_view way) {
  if (way == "kill") std::raise(SIGKILL);
  if (way == "throw") throw Error("rank 1: the disk is full", ErrorKind::kRuntimeFailure);
  if (way == "abort") {
    Say("rank 1 aborts");
    ranks.Abort(3);
  }
  if (way == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
}

int Connect(std::string_view way) {
  try {
    const std::unique_ptr<Communicator> ranks = ConnectRanks();
    try {
      if (ranks->rank() == 1) End(*ranks, way);
      ranks->Barrier();
      Say(fmt::format("rank {} of {} leaves", ranks->rank(), ranks->size()));
    } catch (const Error& error) {
      if (way != "hang") throw;
      Say(error.what());
      ranks->Abort(1);
    }
  } catch (const Error& error) {
    Say(error.what());
    return error.kind() == ErrorKind::kInvalidInput ? 2 : 1;
  }
  return 0;
}

}  // namespace
}  // namespace twofour::comm

int main(int argc, char** argv) {
  constexpr std::string_view kWay = "--way=";
  if (argc == 2 && std::string_view(argv[1]).starts_with(kWay)) {
    return twofour::comm::Connect(std::string_view(argv[1]).substr(kWay.size()));
  }
  int level = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  MPI_Finalize();
  return result;
}
