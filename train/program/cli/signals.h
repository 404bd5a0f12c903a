#pragma once

#include <csignal>

#include "twofour/train/program/cli/app.h"

namespace twofour::train {

/// From now on the signals of kStopSignals set `stop`, which must outlive the process's last one. The same signal once
/// more ends the process at once, unless it comes within half a second: a closed terminal, timeout(1) and cluster
/// managers send theirs to the process and to its group. XCPU never does, since the kernel repeats it every second.
/// Besides, a write that passes the limit on a file's size fails instead of ending the process (XFSZ).
/// A signal that is ignored already (nohup) stays ignored.
void HandleSignals(StopRequest& stop);

/// While one lives, writing to a pipe that nobody reads any more fails instead of ending the process (PIPE): for
/// commands that are there for the files which they write, and not for what they print.
class OutlivesReaders {
 public:
  OutlivesReaders();
  ~OutlivesReaders();
  OutlivesReaders(const OutlivesReaders&) = delete;
  OutlivesReaders& operator=(const OutlivesReaders&) = delete;

 private:
  struct sigaction before_ = {};
};

}  // namespace twofour::train
