#pragma once

#include <array>
#include <cstdint>

#include "twofour/core/random_streams.h"
#include "twofour/core/tensor.h"

namespace twofour {

/// Names one sequence of random numbers. Equal keys give equal numbers, on every machine and thread
/// count, and there is no state to save: a resumed run draws what the uninterrupted run would have
/// drawn.
struct RandomKey {
  uint64_t seed = 0;
  uint32_t stream = 0;  ///< What the numbers are for: one weight's initial values, the order of the data, ...
  uint64_t step = 0;    ///< When: the training step, the epoch, ...
};

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy
/// as 1, 2, 3" (SC'11): four 32-bit numbers for each 128-bit counter under a 64-bit key.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// Random access to a key's sequence: four numbers of block `index`.
std::array<uint32_t, 4> RandomBlock(const RandomKey& key, uint32_t index);

/// 24 random bits as a float in [0, 1).
inline float ToUniform(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

/// Draws a key's numbers one after another. Each thread needs its own sequence. Two sequences of the same key draw the
/// same numbers.
class RandomSequence {
 public:
  explicit RandomSequence(const RandomKey& key) : key_(key) {}

  uint32_t NextBits();
  /// In [0, 1).
  float Uniform() { return ToUniform(NextBits()); }
  float Uniform(float low, float high) { return low + (high - low) * Uniform(); }
  /// Standard normal (Box-Muller).
  float Normal();
  /// In [0, bound), without bias. Throws Error where `bound` is 0.
  uint32_t Below(uint32_t bound);
  /// The same from 64 random bits, for bounds that 32 bits cannot hold.
  uint64_t Below64(uint64_t bound);

 private:
  RandomKey key_;
  std::array<uint32_t, 4> block_{};
  uint32_t next_block_ = 0;
  int used_ = 4;
};

/// Hands out keys of one seed, each with its own stream, in the order of calls. It is for initialising modules, and not
/// for several threads at once, because the order of their calls would decide who gets which key.
class Generator {
 public:
  explicit Generator(uint64_t seed) : seed_(seed) {}
  RandomKey NextKey() { return {seed_, next_stream_++, 0}; }
  uint64_t seed() const { return seed_; }

 private:
  uint64_t seed_;
  uint32_t next_stream_ = random_streams::kFirstInitialValue;
};

/// Overwrites a floating tensor with numbers from [low, high), where rounding to f32 may give high
/// itself, or from a normal distribution.
void FillUniform(Tensor& tensor, double low, double high, const RandomKey& key);
void FillNormal(Tensor& tensor, double mean, double stddev, const RandomKey& key);

}  // namespace twofour
