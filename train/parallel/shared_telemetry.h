#pragma once

#include "twofour/comm/communicator.h"
#include "twofour/train/telemetry.h"

namespace twofour::train {

/// Puts together what the ranks have measured in a step. The last rank has made the step's last forward pass, and the
/// owner of a weight alone has its gradient. Collective.
void ShareTelemetry(comm::Communicator& ranks, Telemetry& telemetry);

}  // namespace twofour::train
