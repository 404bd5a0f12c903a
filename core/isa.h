#pragma once

#include <string_view>
#include <vector>

namespace twofour {

/// An instruction set that kernels are compiled for. isa.cc has the table of their names and of what a processor must
/// have for each; a new one is a line here and a line there.
enum class Isa {
  kAny,       ///< Whatever the build's baseline is: for code without SIMD, or that chooses by itself.
  kPortable,  ///< The SIMD kernels as any processor runs them.
  kSse4,
  kNeon,
  kAvx2,
  kAvx512,
};

/// "any", "portable", "sse4", "neon", "avx2", "avx512".
std::string_view NameOf(Isa isa);

/// The instruction sets that this build, this processor and TWOFOUR_MAX_ISA allow, fastest first and without kAny;
/// never empty. TWOFOUR_MAX_ISA=avx2 leaves out what is faster than avx2, in every kernel of twofour. Throws Error for
/// a value that is no name, listing those that are.
const std::vector<Isa>& AllowedIsas();
/// Whether a kernel compiled for `isa` may run here. kAny always may.
bool IsAllowed(Isa isa);
/// The first of AllowedIsas().
Isa BestIsa();

/// Makes TWOFOUR_MAX_ISA hold for Highway's own dispatch; costs nothing after the first call.
void ApplyIsaLimit();

}  // namespace twofour
