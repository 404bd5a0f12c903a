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

int main(int argc, char** argv) {
  InstallHandler(SIGINT);
  InstallHandler(SIGTERM);
  return twofour::train::RunTrainer(argc, argv, std::cout, std::cerr, isatty(STDOUT_FILENO) != 0, stop_request);
}
