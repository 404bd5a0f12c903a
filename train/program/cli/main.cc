#include <fcntl.h>
#include <unistd.h>

#include <ostream>

#include "twofour/train/program/cli/app.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/signals.h"

namespace {

twofour::train::StopRequest stop_request;

/// A file opened later must not become standard output: what is closed is opened on nothing.
void OpenStandardDescriptors() {
  for (int descriptor = open("/dev/null", O_RDWR); descriptor >= 0 && descriptor <= STDERR_FILENO;) {
    descriptor = open("/dev/null", O_RDWR);
  }
}

}  // namespace

int main(int argc, char** argv) {
  OpenStandardDescriptors();
  twofour::train::HandleSignals(stop_request);
  twofour::train::OutputBuffer out_buffer(STDOUT_FILENO, stop_request.stop);
  twofour::train::OutputBuffer err_buffer(STDERR_FILENO, stop_request.stop);
  std::ostream out(&out_buffer), err(&err_buffer);
  err.tie(&out);  // Lines come in the order in which they were written.
  return twofour::train::RunTrainer(argc, argv, out, err, isatty(STDOUT_FILENO) != 0, stop_request);
}
