#pragma once

namespace twofour {

// What Highway does not tell of an x86-64 processor. Everything is false on other processors.

/// AVX512_BF16, and the sets beside it that twofour's kernels for it are compiled for. AVX512_VBMI2 is one of them,
/// which Cooper Lake lacks.
bool HasAvx512Bf16();
/// AVX512_VBMI: permutations of bytes. All processors with AVX512_VBMI2 have it, too, but nothing promises that.
bool HasAvx512Vbmi();
/// AVX512_VNNI.
bool HasAvx512Vnni();
/// AVX_VNNI: the same products in vectors of 256 bits, on processors that may lack AVX-512.
bool HasAvxVnni();
/// AMX-TILE and AMX-BF16, with a palette of tiles, switched on by the system.
bool HasAmxBf16();
/// AMX-INT8, beside AMX-TILE.
bool HasAmxInt8();
/// Asks the system for this process's right to use AMX's tiles, as Linux demands since 5.16. Older systems and others
/// grant nothing. It holds for all threads.
bool AskForAmx();
bool IsIntel();

}  // namespace twofour
