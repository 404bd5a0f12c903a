#pragma once

#include <string_view>
#include <vector>

namespace twofour {

/// An instruction set that kernels are compiled for. The order matters: better sets come later. docs/architecture.md
/// ("Add an instruction set") lists the places that a new one touches.
enum class Isa {
  kAny,       ///< The build's baseline: for code without SIMD, or code that chooses by itself.
  kPortable,  ///< The SIMD kernels in a form that any processor can run.
  kSse4,
  kNeon,
  kAvx2,
  kAvxVnni,  ///< Products of quads of 8 bits (int8_vectors-inl.h), in AVX2's vectors.
  kAvx512,
  kAvx512Vnni,  ///< The same in vectors of 512 bits.
  kAvx512Bf16,  ///< Products of pairs of bf16. Highway does not know it: see bf16_vectors-inl.h.
  kAmxBf16,     ///< Products of tiles of bf16 (AMX): dense ones by the library (bf16_block.h), V:N:M by vnm_amx.
};

/// "any", "portable", "sse4", "neon", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amxbf16".
std::string_view NameOf(Isa isa);

/// The instruction sets that this build, this processor and TWOFOUR_MAX_ISA allow, fastest first and without kAny;
/// never empty. TWOFOUR_MAX_ISA=avx2 leaves out all that are faster than avx2, in every kernel of twofour. Throws Error
/// for a value that is no name; it lists the names.
const std::vector<Isa>& AllowedIsas();
/// Whether a kernel compiled for `isa` may run here. kAny always may.
bool IsAllowed(Isa isa);
/// Whether this build and this processor have a set, and only TWOFOUR_MAX_ISA leaves it out.
bool IsForbidden(Isa isa);
/// The first of AllowedIsas().
Isa BestIsa();

/// Whether kernels for kAvx512Bf16 are worth choosing: false where the processor lacks the set, and on Intel's. On a
/// Sapphire Rapids, products of pairs of bf16 were measured at half the rate of products of floats, so kernels that
/// keep bf16 in memory and compute in f32 are faster there. On AMD's, pairs run at twice the rate of floats.
bool Bf16PairsPay();

/// Applies TWOFOUR_MAX_ISA to Highway's own dispatch. Costs nothing after the first call.
void ApplyIsaLimit();

}  // namespace twofour
