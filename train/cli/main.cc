#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "twofour/train/cli/app.h"

namespace {

twofour::train::StopRequest stop_request;

extern "C" void OnSignal(int signal) {
  stop_request.signal = signal;
  stop_request.stop = true;
}

void InstallHandler(int signal) {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESETHAND;  // A second signal ends the program at once.
  sigaction(signal, &action, nullptr);
}

}  // namespace

/// A file opened later must not become standard output: what is closed is opened on nothing.
void OpenStandardDescriptors() {
  for (int descriptor = open("/dev/null", O_RDWR); descriptor >= 0 && descriptor <= STDERR_FILENO;) {
    descriptor = open("/dev/null", O_RDWR);
  }
}

int main(int argc, char** argv) {
  OpenStandardDescriptors();
  InstallHandler(SIGINT);
  InstallHandler(SIGTERM);
  return twofour::train::RunTrainer(argc, argv, std::cout, std::cerr, isatty(STDOUT_FILENO) != 0, stop_request);
}
