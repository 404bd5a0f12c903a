#pragma once

#include "bench/peers/peer.h"

namespace twofour::bench {

/// Times all peers at one product, including the preparation of the weight, and returns the fastest.
const Peer& FastestPeer(const LinearProduct& product, int rounds);

}  // namespace twofour::bench
