#pragma once

#include "bench/peers/peer.h"

namespace twofour::bench {

/// Times all peers of the product's precision, including the preparation of the weight, and returns the fastest. There
/// must be one.
const Peer& FastestPeer(const LinearProduct& product, int rounds);

}  // namespace twofour::bench
