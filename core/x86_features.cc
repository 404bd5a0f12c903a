#include "twofour/core/x86_features.h"

#ifdef __x86_64__
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdint>

namespace twofour {
namespace {

/// The features that the system saves and restores when it switches threads (XCR0).
__attribute__((target("xsave"))) uint64_t SavedFeatures() { return __builtin_ia32_xgetbv(0); }

}  // namespace

bool HasAvx512Bf16() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}

bool HasAvx512Vbmi() { return __builtin_cpu_supports("avx512vbmi") != 0; }

bool HasAvx512Vnni() { return __builtin_cpu_supports("avx512vnni") != 0; }

bool HasAvxVnni() {
  constexpr unsigned kAvxVnni = 1U << 4;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__builtin_cpu_supports("avx2") == 0 || __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || eax < 1) {
    return false;
  }
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
}

namespace {

/// Whether there are AMX's tiles, switched on by the system, and what a bit of EDX stands for.
bool HasAmx(unsigned feature) {
  constexpr unsigned kOsXsave = 1U << 27, kAmxTile = 1U << 24;
  constexpr uint64_t kTileConfig = 1U << 17, kTileData = 1U << 18;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kOsXsave) == 0) return false;
  if ((SavedFeatures() & (kTileConfig | kTileData)) != (kTileConfig | kTileData)) return false;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & feature) == 0 || (edx & kAmxTile) == 0) return false;
  // Some virtual machines tell of AMX but have no palette of tiles, so that configuring tiles fails.
  constexpr unsigned kTileInformation = 0x1d;
  return __get_cpuid_count(kTileInformation, 0, &eax, &ebx, &ecx, &edx) != 0 && eax >= 1;
}

}  // namespace

bool HasAmxBf16() { return HasAmx(1U << 22); }
bool HasAmxInt8() { return HasAmx(1U << 25); }

bool AskForAmx() {
#ifdef __linux__
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA.
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool IsIntel() { return __builtin_cpu_is("intel") != 0; }

}  // namespace twofour

#else

namespace twofour {

bool HasAvx512Bf16() { return false; }
bool HasAvx512Vbmi() { return false; }
bool HasAvx512Vnni() { return false; }
bool HasAvxVnni() { return false; }
bool HasAmxBf16() { return false; }
bool HasAmxInt8() { return false; }
bool AskForAmx() { return false; }
bool IsIntel() { return false; }

}  // namespace twofour

#endif
