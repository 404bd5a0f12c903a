#include "twofour/core/random.h"

#include <cmath>
#include <numbers>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour {
namespace {

/// Two independent standard normal numbers from two words of random bits.
std::array<float, 2> BoxMuller(uint32_t bits_a, uint32_t bits_b) {
  // (bits + 1) / 2^24 lies in (0, 1], so the logarithm is finite.
  const double u = (static_cast<double>(bits_a >> 8) + 1.0) * 0x1p-24;
  const double angle = 2.0 * std::numbers::pi * ToUniform(bits_b);
  const double radius = std::sqrt(-2.0 * std::log(u));
  return {static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle))};
}

void RequirePositive(uint64_t bound) {
  if (bound == 0) throw Error("RandomSequence: a number below 0, expected a positive bound");
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplierA = 0xD2511F53, kMultiplierB = 0xCD9E8D57;
  constexpr uint32_t kWeylA = 0x9E3779B9, kWeylB = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = kMultiplierA * counter[0];
    const uint64_t b = kMultiplierB * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += kWeylA;
    key[1] += kWeylB;
  }
  return counter;
}

std::array<uint32_t, 4> RandomBlock(const RandomKey& key, uint32_t index) {
  return Philox4x32({index, key.stream, static_cast<uint32_t>(key.step), static_cast<uint32_t>(key.step >> 32)},
                    {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)});
}

uint32_t RandomSequence::NextBits() {
  if (used_ == 4) {
    block_ = RandomBlock(key_, next_block_++);
    used_ = 0;
  }
  return block_[used_++];
}

float RandomSequence::Normal() {
  const uint32_t a = NextBits();
  return BoxMuller(a, NextBits())[0];
}

uint32_t RandomSequence::Below(uint32_t bound) {
  RequirePositive(bound);
  // Lemire's multiply-shift; the few low products that would favour some results are drawn again.
  const uint32_t threshold = -bound % bound;
  for (;;) {
    const uint64_t product = static_cast<uint64_t>(NextBits()) * bound;
    if (static_cast<uint32_t>(product) >= threshold) return static_cast<uint32_t>(product >> 32);
  }
}

uint64_t RandomSequence::Below64(uint64_t bound) {
  RequirePositive(bound);
  // The lowest 2^64 mod bound values are drawn again. The number of all other values is a multiple of bound.
  const uint64_t threshold = -bound % bound;
  for (;;) {
    const uint64_t high = NextBits();
    const uint64_t bits = high << 32 | NextBits();
    if (bits >= threshold) return bits % bound;
  }
}

void FillUniform(Tensor& tensor, double low, double high, const RandomKey& key) {
  ops::RequireF32OrF64("FillUniform", "tensor", tensor);
  DispatchF32OrF64(tensor.dtype(), "FillUniform", [&](auto zero) {
    using T = decltype(zero);
    RandomSequence sequence(key);
    T* out = tensor.mutable_data<T>();
    for (int64_t i = 0; i < tensor.numel(); ++i) out[i] = static_cast<T>(low + (high - low) * sequence.Uniform());
  });
}

void FillNormal(Tensor& tensor, double mean, double stddev, const RandomKey& key) {
  ops::RequireF32OrF64("FillNormal", "tensor", tensor);
  DispatchF32OrF64(tensor.dtype(), "FillNormal", [&](auto zero) {
    using T = decltype(zero);
    RandomSequence sequence(key);
    T* out = tensor.mutable_data<T>();
    for (int64_t i = 0; i < tensor.numel(); ++i) out[i] = static_cast<T>(mean + stddev * sequence.Normal());
  });
}

}  // namespace twofour
