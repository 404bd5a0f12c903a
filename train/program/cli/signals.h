#pragma once

#include <csignal>

#include "twofour/train/program/cli/app.h"

namespace twofour::train {

/// From now on, the signals of kStopSignals set `stop`, which must live as long as signals can come. The same signal a
/// second time ends the process at once, with two exceptions. One within half a second is ignored, because a closed
/// terminal, timeout(1) and cluster managers send a signal both to the process and to its group. A repeated XCPU is
/// ignored, because the kernel repeats it every second.
/// A write beyond the limit on a file's size fails instead of ending the process (XFSZ). A signal that is ignored
/// already (nohup) stays ignored.
void HandleSignals(StopRequest& stop);

/// While one of these exists, writing to a pipe that nobody reads any more fails instead of ending the process (PIPE).
/// It is for commands whose result is the files that they write, not what they print.
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
