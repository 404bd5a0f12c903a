#pragma once

#include <algorithm>
#include <array>
#include <csignal>

namespace twofour::train {

/// The signals that ask a program of ours for an orderly end. They come from a person (Ctrl-C, kill), a closed
/// terminal, a cluster's manager (USR1 and USR2 as a warning, XCPU), a timer or the machine's power supply.
inline constexpr std::array kStopSignals = {
    SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM,
#ifdef SIGPWR
    SIGPWR,
#endif
};

/// Whether this exit code says that one of these signals ended the process.
inline bool IsStopExitCode(int code) {
  return std::any_of(kStopSignals.begin(), kStopSignals.end(), [code](int signal) { return code == 128 + signal; });
}

}  // namespace twofour::train
