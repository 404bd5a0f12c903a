#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <ostream>
#include <thread>

#include "twofour/comm/launch.h"
#include "twofour/core/error.h"
#include "twofour/train/program/cli/app.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/signals.h"

namespace {

twofour::train::StopRequest stop_request;

/// Opens the standard descriptors that are closed on /dev/null, so that no file opened later becomes standard output.
/// Writing to such an output fails: results that nobody can get are no success.
void OpenStandardDescriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) < 0) open("/dev/null", O_RDONLY);  // Gets the lowest free number.
  }
}

/// Exit code of a start that has failed before the program could begin. Of ranks that fail alike, the first one says so
/// for all: its launcher then ends the others.
int ReportFailedStart(const twofour::Error& error, std::ostream& err) {
  if (twofour::comm::IsLaunchedAsAnotherRank()) std::this_thread::sleep_for(twofour::train::kForTheFirstToEnd);
  err << "trainer: " << error.what() << std::endl;
  return error.kind() == twofour::ErrorKind::kInvalidInput ? 2 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  OpenStandardDescriptors();
  twofour::train::HandleSignals(stop_request);
  twofour::train::OutputBuffer out_buffer(STDOUT_FILENO, stop_request.stop);
  twofour::train::OutputBuffer err_buffer(STDERR_FILENO, stop_request.stop);
  std::ostream out(&out_buffer), err(&err_buffer);
  err.tie(&out);  // Keeps the lines of both in the order in which they were written.
  std::unique_ptr<twofour::comm::Communicator> ranks;
  try {
    ranks = twofour::comm::ConnectRanks();
  } catch (const twofour::Error& error) {
    return ReportFailedStart(error, err);
  }
  // Launchers give ranks a terminal of their own, whatever reads it.
  const bool terminal = ranks->size() == 1 && isatty(STDOUT_FILENO) != 0;
  return twofour::train::RunTrainer(argc, argv, out, err, terminal, stop_request, *ranks);
}
