#pragma once

#include <cstdint>

#include "twofour/core/random.h"

namespace twofour::kernels::loops {

/// Writes `blocks` blocks of a key's sequence as 8 numbers of 16 bits each: those of RandomBlock(key, first_block + i),
/// modulo 2^32, stand at out[8 * i], the lower half of each word first. On the calling thread.
void RandomHalves(const RandomKey& key, uint32_t first_block, int64_t blocks, uint16_t* out);

}  // namespace twofour::kernels::loops
