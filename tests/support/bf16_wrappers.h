#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/half.h"
#include "twofour/core/isa.h"

namespace twofour::test {

/// What the functions of bf16_vectors-inl.h take and give, in memory. The vectors have 16 floats or pairs.
struct Bf16Vectors {
  alignas(64) uint32_t pairs[16][16] = {};
  alignas(64) float floats[2][16] = {};
  uint32_t bits = 0;
};

/// One function of bf16_vectors-inl.h.
struct Bf16Wrapper {
  const char* name;
  /// Writes what the function gives for `in` into the first places of `out`, and leaves the rest as it is.
  void (*run)(const Bf16Vectors& in, Bf16Vectors& out);
};

/// The functions of bf16_vectors-inl.h, compiled with emulated instructions or with those of the processor.
struct Bf16WrapperTable {
  Isa isa;
  std::vector<Bf16Wrapper> wrappers;
};

/// Both tables, or only the emulated one where the build has no other. All have the same order.
std::vector<Bf16WrapperTable> Bf16WrapperTables();

/// What DotPairs is meant to compute in one lane, by the definition of rounding: c + a b, rounded once to 24 digits,
/// to nearest even. Denormal operands count as zero, and so does a result that is too small for a normal float.
float FusedMultiplyAddBf16(BFloat16 a, BFloat16 b, float c);

/// x rounded to bf16, likewise.
BFloat16 NearestBf16(float x);

}  // namespace twofour::test
